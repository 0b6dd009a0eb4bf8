package decisionmap

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// The closed vocabularies of environments.
var (
	tiers       = []string{"dev", "test", "staging", "prod"}
	exposures   = []string{"private", "internal", "partner", "internet"}
	dataClasses = []string{"synthetic", "public", "internal", "confidential", "restricted"}
	blastRadii  = []string{"service", "zone", "regional", "global"}
	rollbacks   = []string{"none", "required", "tested"}
)

// Environment is a place where artifacts run, with what is at stake there. An empty
// field was not declared, which is never the same as harmless.
type Environment struct {
	Tier        string   `json:"tier"` // dev, test, staging, prod
	Cloud       string   `json:"cloud,omitempty"`
	Cluster     string   `json:"cluster,omitempty"`
	Exposure    string   `json:"exposure,omitempty"`     // private, internal, partner, internet
	Data        string   `json:"data,omitempty"`         // synthetic, public, internal, confidential, restricted
	BlastRadius string   `json:"blast_radius,omitempty"` // service, zone, regional, global
	Rollback    string   `json:"rollback,omitempty"`     // none, required, tested
	MinSLSA     int64    `json:"min_slsa"`               // SLSA build level, 0 to 4
	PromoteFrom string   `json:"promote_from,omitempty"` // the environment that comes before this one
	Soak        Duration `json:"soak,omitzero"`          // how long an artifact must have been promoted there
	// Timezone is the IANA zone of hours that name none, and of dates in freezes; empty:
	// that of the hours, else UTC.
	Timezone string   `json:"timezone,omitempty"`
	Hours    *Hours   `json:"hours,omitempty"` // nil: at any time
	Freezes  []Freeze `json:"freezes"`
	// PromotionValidity is how long a promotion into this environment counts; zero: for ever.
	PromotionValidity Duration `json:"promotion_validity,omitzero"`
	// MaxBaseAge is how old the base image of what runs here may be; zero: any age.
	MaxBaseAge       Duration `json:"max_base_age,omitzero"`
	VulnerabilitySLA SLA      `json:"vulnerability_sla,omitzero"`
	// Reach is what a plan for this environment may reach.
	Reach Reach `json:"reach,omitzero"`
	// Protected are types of resources, such as azurerm_mssql_database, that no plan deletes
	// or replaces here. A * at the end stands for the rest.
	Protected []string `json:"protected,omitempty"`
	// Kubernetes is what of which clusters belongs to the environment.
	Kubernetes []Cluster `json:"kubernetes,omitempty"`
	// AdmissionFail is FailClosed or FailOpen: what admission does here when it does not know
	// what was decided last. Empty: closed.
	AdmissionFail string `json:"admission_fail,omitempty"`
}

// SLA is how long a vulnerability of each severity may be known before nothing that has it
// is promoted any more; zero: for ever.
type SLA struct {
	Critical Duration `json:"critical,omitzero"`
	High     Duration `json:"high,omitzero"`
	Medium   Duration `json:"medium,omitzero"`
	Low      Duration `json:"low,omitzero"`
}

// Reach limits what plans reach. An empty list limits nothing.
type Reach struct {
	Providers []string `json:"providers,omitempty"` // azurerm, aws, google …
	Accounts  []string `json:"accounts,omitempty"`  // subscriptions, accounts, projects, by id
	Regions   []string `json:"regions,omitempty"`
	Kinds     []string `json:"kinds,omitempty"` // types of resources; a * at the end stands for the rest
}

// IsZero reports whether nothing is limited, for JSON.
func (r Reach) IsZero() bool {
	return len(r.Providers)+len(r.Accounts)+len(r.Regions)+len(r.Kinds) == 0
}

// Production reports whether the environment is of tier prod.
func (e Environment) Production() bool { return e.Tier == "prod" }

// Open reports whether the environment may change at t, as its hours say.
func (e Environment) Open(t time.Time) bool { return e.Hours == nil || e.Hours.Open(t) }

// zone is the one of dates in freezes.
func (e Environment) zone() *time.Location {
	name := e.Timezone
	if name == "" && e.Hours != nil {
		name = e.Hours.Timezone
	}
	zone, err := time.LoadLocation(name)
	if err != nil { // told where the name was read
		return time.UTC
	}
	return zone
}

// Chain lists the environments that an artifact goes through before it reaches this one,
// the nearest first. It is not whole where one of them does not exist or the chain comes
// back to itself: then nothing can be said to have come along it.
func (m *Map) Chain(name string) (before []string, whole bool) {
	e, known := m.Environments[name]
	seen := []string{name}
	for known && e.PromoteFrom != "" {
		if slices.Contains(seen, e.PromoteFrom) {
			return before, false
		}
		seen, before = append(seen, e.PromoteFrom), append(before, e.PromoteFrom)
		e, known = m.Environments[e.PromoteFrom]
	}
	return before, known
}

func (r *reader) environment(n *yaml.Node, at, _ string, e *Environment) {
	var hours, freezes *yaml.Node
	var hoursAt, frozenAt string
	r.object(n, at, "{tier: dev}", map[string]field{
		"tier":         r.oneOf(&e.Tier, tiers...),
		"cloud":        r.text(&e.Cloud, "azure"),
		"cluster":      r.text(&e.Cluster, "aks-prod"),
		"exposure":     r.oneOf(&e.Exposure, exposures...),
		"data":         r.oneOf(&e.Data, dataClasses...),
		"blast_radius": r.oneOf(&e.BlastRadius, blastRadii...),
		"rollback":     r.oneOf(&e.Rollback, rollbacks...),
		"min_slsa":     r.number(&e.MinSLSA, 0, 4, "3"),
		"promote_from": r.text(&e.PromoteFrom, "staging"),
		"soak":         r.duration(&e.Soak, "4h"),
		"timezone":     r.timezone(&e.Timezone),
		"hours":        func(n *yaml.Node, at string) { hours, hoursAt = n, at },
		"freezes":      func(n *yaml.Node, at string) { freezes, frozenAt = n, at },

		"promotion_validity": r.duration(&e.PromotionValidity, "30d"),
		"max_base_age":       r.duration(&e.MaxBaseAge, "90d"),
		"vulnerability_sla":  r.sla(&e.VulnerabilitySLA),
		"reach":              r.reach(&e.Reach),
		"protected":          r.words(&e.Protected, "azurerm_mssql_database"),
		"kubernetes":         r.clusters(&e.Kubernetes),
		"admission_fail":     r.oneOf(&e.AdmissionFail, FailClosed, FailOpen),
	})
	if hours != nil {
		r.hours(&e.Hours, e.zone().String())(hours, hoursAt)
	}
	if freezes != nil {
		r.freezes(&e.Freezes, e.zone())(freezes, frozenAt)
	}
	if e.Tier == "" && n.Kind == yaml.MappingNode {
		r.fail(n, at+" does not say its tier", "add `tier:` with one of "+strings.Join(tiers, ", "))
	}
}

func (r *reader) sla(into *SLA) field {
	return func(n *yaml.Node, at string) {
		r.object(n, at, "{critical: 7d, high: 30d}", map[string]field{
			"critical": r.duration(&into.Critical, "7d"), "high": r.duration(&into.High, "30d"),
			"medium": r.duration(&into.Medium, "90d"), "low": r.duration(&into.Low, "180d"),
		})
	}
}

func (r *reader) reach(into *Reach) field {
	return func(n *yaml.Node, at string) {
		r.object(n, at, "{providers: [azurerm], regions: [westeurope]}", map[string]field{
			"providers": r.words(&into.Providers, "azurerm"), "accounts": r.words(&into.Accounts, "00000000-0000-0000-0000-000000000000"),
			"regions": r.words(&into.Regions, "westeurope"), "kinds": r.words(&into.Kinds, "azurerm_linux_web_app"),
		})
	}
}

func (d *differ) environment(path string, a, b Environment) {
	tier := Changes
	if a.Production() != b.Production() {
		tier = Tightens
		if a.Production() {
			tier = Loosens
		}
	}
	d.text(path+".tier", a.Tier, b.Tier, tier)
	d.text(path+".cloud", a.Cloud, b.Cloud, Safe)
	d.text(path+".cluster", a.Cluster, b.Cluster, Safe)
	d.ranked(path+".exposure", a.Exposure, b.Exposure, exposures...)
	d.ranked(path+".data", a.Data, b.Data, dataClasses...)
	d.ranked(path+".blast_radius", a.BlastRadius, b.BlastRadius, blastRadii...)
	d.ranked(path+".rollback", a.Rollback, b.Rollback, rollbacks...)
	d.number(path+".min_slsa", a.MinSLSA, b.MinSLSA)
	from := Changes
	switch {
	case a.PromoteFrom == "":
		from = Tightens
	case b.PromoteFrom == "":
		from = Loosens
	}
	d.text(path+".promote_from", a.PromoteFrom, b.PromoteFrom, from)
	d.longer(path+".soak", a.Soak, b.Soak, Tightens)
	d.text(path+".timezone", a.Timezone, b.Timezone, Changes)
	d.hours(path+".hours", a.Hours, b.Hours)
	d.freezes(path+".freezes", a.Freezes, b.Freezes)
	d.age(path+".promotion_validity", a.PromotionValidity, b.PromotionValidity)
	d.age(path+".max_base_age", a.MaxBaseAge, b.MaxBaseAge)
	d.age(path+".vulnerability_sla.critical", a.VulnerabilitySLA.Critical, b.VulnerabilitySLA.Critical)
	d.age(path+".vulnerability_sla.high", a.VulnerabilitySLA.High, b.VulnerabilitySLA.High)
	d.age(path+".vulnerability_sla.medium", a.VulnerabilitySLA.Medium, b.VulnerabilitySLA.Medium)
	d.age(path+".vulnerability_sla.low", a.VulnerabilitySLA.Low, b.VulnerabilitySLA.Low)
	d.limit(path+".reach.providers", a.Reach.Providers, b.Reach.Providers)
	d.limit(path+".reach.accounts", a.Reach.Accounts, b.Reach.Accounts)
	d.limit(path+".reach.regions", a.Reach.Regions, b.Reach.Regions)
	d.limit(path+".reach.kinds", a.Reach.Kinds, b.Reach.Kinds)
	d.words(path+".protected", a.Protected, b.Protected, Tightens)
	d.clusters(path+".kubernetes", a.Kubernetes, b.Kubernetes)
	d.admissionFail(path+".admission_fail", a, b)
}

// limit compares lists of what is allowed, of which an empty one allows everything.
func (d *differ) limit(path string, old, new []string) {
	switch {
	case len(old) == 0 && len(new) > 0:
		d.add(path, Tightens, "", strings.Join(new, ", "), lastKey(path)+": only these, instead of any")
	case len(old) > 0 && len(new) == 0:
		d.add(path, Loosens, strings.Join(old, ", "), "", lastKey(path)+": any, instead of these alone")
	default:
		d.words(path, old, new, Loosens)
	}
}
