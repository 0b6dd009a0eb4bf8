package main

// nearest is the name that a person most likely meant, or "" when none is close: at
// most a third of the letters differ, counting a swap of neighbours as one.
func nearest(word string, names []string) string {
	if len(word) > 64 { // nobody mistypes that much; the distance is quadratic
		return ""
	}
	best, found := max(1, len(word)/3)+1, ""
	for _, n := range names {
		if d := distance(word, n); d < best {
			best, found = d, n
		}
	}
	return found
}

// distance counts the insertions, deletions, substitutions and swaps of neighbours
// between a and b (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
