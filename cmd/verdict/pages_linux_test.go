package main

import (
	"os"
	"testing"
)

// Only what nobody wrote to is given back: a page that was changed would come back as it is
// in the file, and the program would go on with other values.
func TestOnlyUntouchedPagesOfTheProgramAreGivenBack(t *testing.T) {
	const smaps = `00400000-00500000 r--p 00000000 fe:00 1 /bin/verdict
Anonymous:         0 kB
00500000-00600000 r-xp 00100000 fe:00 1 /bin/verdict
Anonymous:         0 kB
00600000-00700000 r--p 00200000 fe:00 1 /bin/verdict
Anonymous:         8 kB
00700000-00800000 rw-p 00300000 fe:00 1 /bin/verdict
Anonymous:         0 kB
00800000-00900000 r--p 00000000 fe:00 2 /bin/other
Anonymous:         0 kB
00900000-00a00000 rw-p 00000000 00:00 0
Anonymous:         0 kB
`
	got := readOnly([]byte(smaps), "/bin/verdict")
	want := []stretch{{0x400000, 0x500000}, {0x500000, 0x600000}}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%x, want %x", got, want)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skipf("SKIP /proc/self/smaps: %v", err)
	}
	if len(readOnly(own, program)) == 0 {
		t.Error("the running program has no mapping of its own")
	}
	settle() // and goes on
}
