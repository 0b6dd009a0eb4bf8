package ledger

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"verdict"
)

// TilePath is where C2SP tlog-tiles serves a tile: tile/L/N[.p/W], with N in groups of
// three digits, and entries in place of the level for L = -1. tlog.Tile.Path gives an
// older form with the height in it.
func TilePath(t tlog.Tile) string {
	n := fmt.Sprintf("%03d", t.N%1000)
	for rest := t.N / 1000; rest > 0; rest /= 1000 {
		n = fmt.Sprintf("x%03d/%s", rest%1000, n)
	}
	level := "entries"
	if t.L >= 0 {
		level = strconv.Itoa(t.L)
	}
	path := "tile/" + level + "/" + n
	if t.W != tileWidth {
		path += ".p/" + strconv.Itoa(t.W)
	}
	return path
}

// ParseTilePath reads what TilePath writes, in that form only.
func ParseTilePath(path string) (tlog.Tile, error) {
	bad := func() (tlog.Tile, error) {
		return tlog.Tile{}, &verdict.Error{
			Code: verdict.CodeNotFound, What: fmt.Sprintf("%.100q is not the path of a tile", path),
			Remedy: "ask for tile/<level>/<number>, tile/<level>/<number>.p/<width> or tile/entries/<number>, as in C2SP tlog-tiles",
		}
	}
	t := tlog.Tile{H: tileHeight, W: tileWidth}
	if len(path) > 100 {
		return bad()
	}
	parts := strings.Split(path, "/")
	if len(parts) < 3 || parts[0] != "tile" {
		return bad()
	}
	if t.L = -1; parts[1] != "entries" {
		level, err := strconv.ParseUint(parts[1], 10, 8)
		if err != nil || level > 63 {
			return bad()
		}
		t.L = int(level)
	}
	parts = parts[2:]
	if last := len(parts) - 1; last > 0 && strings.HasSuffix(parts[last-1], ".p") {
		width, err := strconv.ParseUint(parts[last], 10, 9)
		if err != nil || width == 0 || width >= tileWidth {
			return bad()
		}
		t.W = int(width)
		parts = parts[:last]
		parts[last-1] = strings.TrimSuffix(parts[last-1], ".p")
	}
	if len(parts) > 6 { // positions end at 2^63
		return bad()
	}
	for _, p := range parts {
		n, err := strconv.ParseUint(strings.TrimPrefix(p, "x"), 10, 16)
		if err != nil || n > 999 {
			return bad()
		}
		t.N = t.N*1000 + int64(n)
	}
	if TilePath(t) != path {
		return bad()
	}
	return t, nil
}
