package policy

import "slices"

// nearest is the candidate with the fewest edits from name, for "did you mean"; "" when
// there is no candidate.
func nearest(name string, candidates []string) string {
	slices.Sort(candidates)
	best, least := "", -1
	for _, c := range candidates {
		if d := edits(name, c); least < 0 || d < least {
			best, least = c, d
		}
	}
	return best
}

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
