package sbom

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"verdict"
)

// The parts of a CSAF document that say what is affected. Its labels are OpenVEX's justifications.
type (
	csafProduct struct {
		ID     string `json:"product_id"`
		Helper struct {
			PURL   string `json:"purl"`
			CPE    string `json:"cpe"`
			Hashes []struct {
				Values []struct {
					Algorithm string `json:"algorithm"`
					Value     string `json:"value"`
				} `json:"file_hashes"`
			} `json:"hashes"`
		} `json:"product_identification_helper"`
	}
	csafBranch struct {
		Category string       `json:"category"`
		Name     string       `json:"name"`
		Product  *csafProduct `json:"product"`
		Branches []csafBranch `json:"branches"`
	}
	csafTree struct {
		Branches []csafBranch  `json:"branches"`
		Full     []csafProduct `json:"full_product_names"`
		Groups   []struct {
			ID       string   `json:"group_id"`
			Products []string `json:"product_ids"`
		} `json:"product_groups"`
		Relations []struct {
			Part    string      `json:"product_reference"`
			Whole   string      `json:"relates_to_product_reference"`
			Product csafProduct `json:"full_product_name"`
		} `json:"relationships"`
	}
	csafAbout struct {
		Label    string   `json:"label"`
		Category string   `json:"category"`
		Details  string   `json:"details"`
		Products []string `json:"product_ids"`
		Groups   []string `json:"group_ids"`
	}
	csafVulnerability struct {
		CVE string `json:"cve"`
		IDs []struct {
			Text string `json:"text"`
		} `json:"ids"`
		Status   map[string][]string `json:"product_status"`
		Flags    []csafAbout         `json:"flags"`
		Threats  []csafAbout         `json:"threats"`
		Remedies []csafAbout         `json:"remediations"`
	}
)

// csafStatus gives the lists of product_status in OpenVEX's words. What is recommended is
// no status.
var csafStatus = []struct {
	list   string
	status VEXStatus
}{
	{"known_not_affected", NotAffected}, {"fixed", Fixed}, {"first_fixed", Fixed},
	{"known_affected", Affected}, {"first_affected", Affected}, {"last_affected", Affected},
	{"under_investigation", UnderInvestigation},
}

// csaf reads CSAF 2.0 of the profile for VEX (section 4.5): products by the product tree,
// and for each vulnerability which of them are affected.
func (r *vexReader) csaf(raw []byte) error {
	var doc struct {
		Document struct {
			Category  string `json:"category"`
			Version   string `json:"csaf_version"`
			Publisher struct {
				Name string `json:"name"`
			} `json:"publisher"`
			Tracking struct {
				ID      string    `json:"id"`
				Status  string    `json:"status"`
				Current time.Time `json:"current_release_date"`
			} `json:"tracking"`
		} `json:"document"`
		Tree            csafTree            `json:"product_tree"`
		Vulnerabilities []csafVulnerability `json:"vulnerabilities"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return vexShape(err)
	}
	d := doc.Document
	switch {
	case d.Category != "csaf_vex":
		return vexInvalid(fmt.Sprintf("the category of the CSAF document is %q", cutText(d.Category)), "give one of the category csaf_vex")
	case d.Version != "2.0" && d.Version != "2.1":
		return vexInvalid(fmt.Sprintf("%q is no version of CSAF that is read", cutText(d.Version)), "write it as CSAF 2.0")
	case d.Tracking.Status != "final" && d.Tracking.Status != "interim":
		return vexInvalid(fmt.Sprintf("its tracking status is %q", cutText(d.Tracking.Status)), "release it: the status final or interim")
	}
	r.doc.Form, r.doc.ID, r.doc.Author = "CSAF", cutText(d.Tracking.ID), cutText(d.Publisher.Name)
	t := csafProducts{known: map[string]VEXProduct{}, groups: map[string][]string{}}
	if err := t.read(doc.Tree); err != nil {
		return err
	}
	for _, x := range doc.Vulnerabilities {
		if err := r.csafVulnerability(x, t, d.Tracking.Current); err != nil {
			return err
		}
	}
	return nil
}

// csafVulnerability makes one statement for each product: each may have its own reason.
func (r *vexReader) csafVulnerability(x csafVulnerability, t csafProducts, at time.Time) error {
	names := []string{x.CVE}
	for _, id := range x.IDs {
		names = append(names, id.Text)
	}
	flags, err := t.about(x.Flags, func(a csafAbout) string { return a.Label })
	if err != nil {
		return err
	}
	impacts, err := t.about(x.Threats, func(a csafAbout) string {
		if a.Category == "impact" {
			return a.Details
		}
		return ""
	})
	if err != nil {
		return err
	}
	actions, err := t.about(x.Remedies, func(a csafAbout) string { return a.Details })
	if err != nil { // it excuses nothing, so the rest is not refused for it
		actions = nil
		r.remark("%s: what it says to do is about products that it does not list", cutText(x.CVE))
	}
	said := map[string]VEXStatus{}
	for _, list := range csafStatus {
		for _, id := range x.Status[list.list] {
			p, known := t.known[id]
			if !known {
				return t.unknown(id)
			}
			if before, twice := said[id]; twice && before != list.status {
				return vexInvalid(fmt.Sprintf("%s: product %q is both %s and %s", cutText(x.CVE), cutText(id), before, list.status), "give each product one status")
			} else if twice {
				continue
			}
			said[id] = list.status
			s := VEXStatement{Vulnerabilities: slices.Clone(names), Products: []VEXProduct{p}, Status: list.status, At: at}
			if s.Status == NotAffected {
				s.Justification, s.Impact = flags[id], impacts[id]
			}
			if s.Status == Affected {
				s.Action = actions[id]
			}
			if err := r.add(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// csafProducts is a product tree, by the ids of the document.
type csafProducts struct {
	known  map[string]VEXProduct
	groups map[string][]string
	n      int
}

func (t *csafProducts) read(tree csafTree) error {
	if err := t.branches(tree.Branches, "", false); err != nil {
		return err
	}
	for _, p := range tree.Full {
		if err := t.learn(p, "", false); err != nil {
			return err
		}
	}
	for _, x := range tree.Relations {
		part, there := t.known[x.Part]
		whole, too := t.known[x.Whole]
		switch {
		case !there:
			return t.unknown(x.Part)
		case !too:
			return t.unknown(x.Whole)
		case len(part.Parts)+len(whole.Parts) > 0:
			return vexInvalid(fmt.Sprintf("product %q is a part of a part", cutText(x.Product.ID)), "relate components to the product itself")
		}
		whole.Parts = []VEXProduct{part}
		if err := t.take(x.Product.ID, whole); err != nil {
			return err
		}
	}
	for _, g := range tree.Groups {
		t.groups[g.ID] = g.Products
	}
	return nil
}

// branches reads a tree of products. One below a branch of a version is of that version;
// one below a range of versions is no single product, and is known by its id alone.
func (t *csafProducts) branches(list []csafBranch, version string, ranged bool) error {
	for _, b := range list {
		v, r := version, ranged
		switch b.Category {
		case "product_version":
			v = b.Name
		case "product_version_range":
			r = true
		}
		if b.Product != nil {
			if err := t.learn(*b.Product, v, r); err != nil {
				return err
			}
		}
		if err := t.branches(b.Branches, v, r); err != nil {
			return err
		}
	}
	return nil
}

func (t *csafProducts) learn(p csafProduct, version string, ranged bool) error {
	var out VEXProduct
	if u, err := ParsePURL(p.Helper.PURL); err == nil && !ranged {
		if u.Version == "" {
			u.Version = version
		}
		out.name(u.String())
	}
	for _, h := range p.Helper.Hashes {
		for _, v := range h.Values {
			out.Digests = digestsOf(v.Algorithm, v.Value, out.Digests)
		}
	}
	return t.take(p.ID, out)
}

func (t *csafProducts) take(id string, p VEXProduct) error {
	if t.n++; t.n > maxVEXProducts {
		return vexLimit(fmt.Sprintf("it lists more than %d products", maxVEXProducts))
	}
	if _, twice := t.known[id]; twice || id == "" {
		return vexInvalid(fmt.Sprintf("product id %q is empty or stands twice", cutText(id)), "give each product an id of its own")
	}
	t.known[id] = p
	return nil
}

// about gives for each product the text that the first element about it has.
func (t *csafProducts) about(list []csafAbout, text func(csafAbout) string) (map[string]string, error) {
	out := map[string]string{}
	n := 0
	for _, a := range list {
		says := text(a)
		if says == "" {
			continue
		}
		ids := slices.Clone(a.Products)
		for _, g := range a.Groups {
			members, known := t.groups[g]
			if !known {
				return nil, t.unknown(g)
			}
			if n += len(members); n > maxVEXProducts {
				return nil, vexLimit("its groups name too many products")
			}
			ids = append(ids, members...)
		}
		for _, id := range ids {
			if out[id] == "" {
				out[id] = says
			}
		}
	}
	return out, nil
}

func (t *csafProducts) unknown(id string) error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: fmt.Sprintf("the VEX document cannot be used: %q is in no list of its product_tree", cutText(id)),
		Remedy: "list the product or group in product_tree",
	}
}
