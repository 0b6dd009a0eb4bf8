package decisionmap

import "unicode"

// glyphWidth holds the advance widths of printable ASCII in thousandths of the font
// size, from space on, as in DejaVu Sans: the widest of the fonts that a viewer is likely
// to have, so that text which fits by this table fits with the others too.
var glyphWidth = [95]int{
	318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, // space to /
	636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, // 0 to ?
	1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787, // @ to O
	603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500, // P to _
	500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, // ` to o
	635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838, // p to ~
}

// boldFactor is how much wider bold text runs.
const boldFactor = 1.13

// measure is the width of text at a font size, from above.
func measure(s string, size float64, bold bool) float64 {
	sum := 0
	for _, c := range s {
		switch {
		case c >= ' ' && c <= '~':
			sum += glyphWidth[c-' ']
		case c < 0x1100 && !unicode.Is(unicode.So, c):
			sum += 850 // Latin with accents, Greek, Cyrillic, Hebrew, Arabic, punctuation
		default:
			sum += 1300 // East Asian, symbols and pictures
		}
	}
	w := float64(sum) / 1000 * size
	if bold {
		w *= boldFactor
	}
	return w
}
