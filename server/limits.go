package server

import (
	"cmp"
	"time"
)

// Limits bound what one server takes. Zero fields take their default.
type Limits struct {
	InFlight    int           // requests at work at once: 512
	Rate        float64       // requests per second of one caller: 4,000
	Anonymous   float64       // requests per second of one address that is not signed in: 50
	Body        int64         // bytes of a body where the operation says nothing: 1 MiB
	Headers     time.Duration // for the headers of a request, and for a TLS handshake: 10 s
	Request     time.Duration // for reading a request and answering it: 60 s
	Idle        time.Duration // for which a connection stays open between requests: 2 min
	Drain       time.Duration // for requests under way at the end: 20 s
	Lag         time.Duration // by which a body may come, or an answer be taken, later than 64 KiB each second: 10 s
	Streams     int           // live event streams at once: 256
	Beat        time.Duration // between signs of life of a stream, each of which its reader takes within that time: 15 s
	Connections int           // open at once: 16,384
	PerAddress  int           // of those, from one address: 1,024
}

// maxHeaders is how many bytes the headers of a request have; net/http takes 4 KiB more.
const maxHeaders = 32 << 10

func (l Limits) filled() Limits {
	return Limits{
		InFlight: cmp.Or(l.InFlight, 512), Rate: cmp.Or(l.Rate, 4000), Anonymous: cmp.Or(l.Anonymous, 50), Body: cmp.Or(l.Body, 1<<20),
		Headers: cmp.Or(l.Headers, 10*time.Second), Request: cmp.Or(l.Request, time.Minute), Idle: cmp.Or(l.Idle, 2*time.Minute), Drain: cmp.Or(l.Drain, 20*time.Second), Lag: cmp.Or(l.Lag, 10*time.Second),
		Streams: cmp.Or(l.Streams, 256), Beat: cmp.Or(l.Beat, 15*time.Second), Connections: cmp.Or(l.Connections, 16_384), PerAddress: cmp.Or(l.PerAddress, 1_024),
	}
}
