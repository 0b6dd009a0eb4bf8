package decisionmap

// nearest is the word of the list that a typing error of s may have meant: at most a
// third of its letters differ. It is empty when there is none.
func nearest(s string, list []string) string {
	best, at := "", len(s)/3+1
	if len(s) > 64 {
		return ""
	}
	for _, w := range list {
		if d := distance(s, w); d <= at && (best == "" || d < at) {
			best, at = w, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their neighbour
// to make b of a (optimal string alignment).
func distance(a, b string) int {
	prev2, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
		prev2, prev, row = prev, row, prev2
	}
	return prev[len(b)]
}
