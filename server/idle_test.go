package server

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const idleVariable = "VERDICT_TEST_IDLE" // ADDRESS COUNT: be the child that holds connections

// TestMain makes the second process of TestIdleConnectionsKeepNobodyOut out of this program.
func TestMain(m *testing.M) {
	if address, count, is := strings.Cut(os.Getenv(idleVariable), " "); is {
		os.Exit(holdConnections(address, count))
	}
	os.Exit(m.Run())
}

// holdConnections opens connections, says so, and holds them until its input ends.
func holdConnections(address, count string) int {
	n, err := strconv.Atoi(count)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for i := range n {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i/500))}} // as of many people, each below the bound of one
		c, err := d.Dial("tcp", address)
		if err != nil {
			fmt.Printf("stopped at %d: %v\n", i, err)
			return 1
		}
		defer c.Close()
		if i%2 == 0 { // half of them were used before
			fmt.Fprintf(c, "GET /api/v1/open HTTP/1.1\r\nHost: verdict.test\r\n%s\r\n\r\n", dev)
		}
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// Ten thousand connections on which nothing comes must not keep a caller waiting, nor take the
// memory that the work needs.
func TestIdleConnectionsKeepNobodyOut(t *testing.T) {
	const most = 10_000
	var done atomic.Int64
	x := liveServer(t, Limits{}, hostileRoutes(&done))
	inUse := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse + m.StackInuse)
	}
	before := inUse()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), idleVariable+"="+x.at+" "+strconv.Itoa(most))
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = child.Wait()
	})
	said := make([]byte, 200)
	n, _ := out.Read(said)
	if got := string(said[:n]); got != "open\n" {
		t.Skipf("SKIP %d file descriptors (ulimit -n): %s", most, got)
	}
	time.Sleep(200 * time.Millisecond) // the last ones are taken in
	grown := inUse() - before
	t.Logf("%d connections take %d MiB", most, grown>>20)
	if grown < 10<<20 {
		t.Errorf("%d connections take %d KiB: they are not there", most, grown>>10)
	}
	if grown > 300<<20 {
		t.Errorf("%d idle connections take %d MiB", most, grown>>20)
	}
	for range 20 {
		if got := statuses(x.dial("127.0.0.1", "POST /api/v1/echo HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\nContent-Type: application/json\r\n"+dev+"\r\nContent-Length: 13\r\n\r\n{\"text\":\"hi\"}")); len(got) != 1 || got[0] != 200 {
			t.Fatalf("beside idle connections a request is answered %v", got)
		}
	}
}
