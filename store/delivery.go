package store

import "context"

// Delivery is what a forge delivered, and what came of it.
type Delivery struct {
	Source, ID string
	Name       string
	Digest     []byte // sha256 of name and body
	Received   int64
	State      string // one of the Delivery states
	Told       string
	Event      string // JSON
	Sealed     []byte // empty: no secret
	Progress   string // JSON
	Waits      string
}

// The states of a delivery.
const (
	DeliveryWaiting = "waiting" // there is work for it
	DeliveryDone    = "done"
	DeliveryIgnored = "ignored" // it leads nowhere
	DeliveryFailed  = "failed"  // it was given up, and Told says why
)

// JobID is the id of the work for a delivery.
func (d Delivery) JobID() string { return "delivery/" + d.Source + "/" + d.ID }

const deliveryColumns = `source, id, name, digest, received, state, told, event, sealed, progress, waits`

const (
	// Index: primary key of delivery.
	deliveryStatement = `SELECT ` + deliveryColumns + ` FROM delivery WHERE source = $1 AND id = $2`

	// Index: delivery_digest.
	deliveryOfBodyStatement = `SELECT ` + deliveryColumns + ` FROM delivery WHERE source = $1 AND digest = $2 ORDER BY received DESC, id LIMIT 1`

	// Index: delivery_received, backwards.
	deliveriesStatement = `SELECT ` + deliveryColumns + ` FROM delivery WHERE received < $1 AND ($2 = '' OR state = $2) ORDER BY received DESC, source, id LIMIT $3`

	// Index: primary key of delivery.
	addDeliveryStatement = `INSERT INTO delivery (` + deliveryColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

	// Index: primary key of delivery.
	keepDeliveryStatement = `UPDATE delivery SET state = $1, told = $2, sealed = $3, progress = $4, waits = $5 WHERE source = $6 AND id = $7`

	// Index: delivery_waits, whose own condition is repeated; then the primary key of job.
	// Work that failed waits for its own time.
	wakeDeliveriesStatement = `UPDATE job SET due = $1 WHERE due > $1 AND owner = '' AND fault = '' AND id IN (SELECT 'delivery/' || source || '/' || id FROM delivery WHERE waits = $2 AND waits <> '')`

	// Index: delivery_received.
	forgetDeliveriesStatement = `DELETE FROM delivery WHERE received < $1 AND state <> 'waiting'`
)

func readDelivery(r Row) (d Delivery, err error) {
	err = r.Scan(&d.Source, &d.ID, &d.Name, &d.Digest, &d.Received, &d.State, &d.Told, &d.Event, &d.Sealed, &d.Progress, &d.Waits)
	return d, err
}

// Delivery finds one by its name.
func (v *View) Delivery(ctx context.Context, source, id string) (d Delivery, found bool, err error) {
	return v.delivery(ctx, deliveryStatement, source, id)
}

func (v *View) delivery(ctx context.Context, sql string, args ...any) (d Delivery, found bool, err error) {
	all, err := list(ctx, v, sql, args, readDelivery)
	if err != nil || len(all) == 0 {
		return Delivery{}, false, err
	}
	return all[0], true, nil
}

// Deliveries lists those received before a time, newest first. An empty state is all.
func (v *View) Deliveries(ctx context.Context, before int64, state string, limit int64) ([]Delivery, error) {
	return list(ctx, v, deliveriesStatement, []any{before, state, limit}, readDelivery)
}

// AddDelivery records a delivery, and in the same transaction the work for one that waits.
// Where one is there with the same id or the same body, that one is given back, and
// nothing changes, unless it failed and is delivered again as it was: then it waits again.
func (s *Store) AddDelivery(ctx context.Context, d Delivery, kind string) (was Delivery, known bool, err error) {
	err = s.engine.Write(ctx, func(r Reader) ([]Statement, error) {
		v := &View{r}
		if was, known, err = v.Delivery(ctx, d.Source, d.ID); err == nil && !known {
			was, known, err = v.delivery(ctx, deliveryOfBodyStatement, d.Source, d.Digest)
		}
		if err != nil {
			return nil, err
		}
		work := Statement{SQL: addJobStatement, Args: []any{d.JobID(), kind, `{}`, d.Received}}
		switch {
		case !known && d.State == DeliveryWaiting:
			return []Statement{d.insert(), work}, nil
		case !known:
			return []Statement{d.insert()}, nil
		case was.State == DeliveryFailed && was.ID == d.ID && string(was.Digest) == string(d.Digest) && d.State == DeliveryWaiting:
			return []Statement{{SQL: keepDeliveryStatement, Args: []any{d.State, d.Told, there(d.Sealed), d.Progress, d.Waits, d.Source, d.ID}}, work}, nil
		}
		return nil, nil
	})
	return was, known, err
}

func (d Delivery) insert() Statement {
	return Statement{SQL: addDeliveryStatement, Args: []any{d.Source, d.ID, d.Name, d.Digest, d.Received, d.State, d.Told, d.Event, there(d.Sealed), d.Progress, d.Waits}}
}

// there is a blob that is not NULL: an empty one comes back as nil from some drivers.
func there(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// KeepDelivery writes how far a delivery has come: its State, Told, Sealed, Progress and
// Waits.
func (s *Store) KeepDelivery(ctx context.Context, d Delivery) error {
	return s.engine.Write(ctx, func(Reader) ([]Statement, error) {
		return []Statement{{SQL: keepDeliveryStatement, Args: []any{d.State, d.Told, there(d.Sealed), d.Progress, d.Waits, d.Source, d.ID}}}, nil
	})
}

// WakeDeliveries makes the work for deliveries that wait for one of these subjects due now.
func (s *Store) WakeDeliveries(ctx context.Context, waits []string, now int64) error {
	return s.engine.Write(ctx, func(Reader) ([]Statement, error) {
		var out []Statement
		for _, w := range waits {
			out = append(out, Statement{SQL: wakeDeliveriesStatement, Args: []any{now, w}})
		}
		return out, nil
	})
}

// ForgetDeliveries removes those received before a time for which there is no more work.
func (s *Store) ForgetDeliveries(ctx context.Context, before int64) error {
	return s.engine.Write(ctx, func(Reader) ([]Statement, error) {
		return []Statement{{SQL: forgetDeliveriesStatement, Args: []any{before}}}, nil
	})
}
