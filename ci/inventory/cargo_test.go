package inventory

import (
	"testing"

	"verdict/ci/inventory/inventorytest"
)

func TestCargoLock(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"Cargo.lock": inventorytest.CargoLock, "Cargo.toml": "[dependencies]\nleft = \"0.3\"\n"})
	sameLines(t, found,
		"Cargo.lock:12 pkg:cargo/left@0.3.1 direct app>left",
		"Cargo.lock:19 pkg:cargo/two@1.0.0 direct app>two",
		"Cargo.lock:24 pkg:cargo/two@2.0.0 app>left>two",
	)
	if len(gaps) > 0 {
		t.Errorf("gaps: %+v", gaps)
	}
}

func TestCargoLockOfTheFirstForm(t *testing.T) {
	_, found, _ := inventoryOf(t, map[string]string{"Cargo.lock": "[root]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"a 1.0.0 (registry+x)\"]\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\n"})
	sameLines(t, found, "Cargo.lock:6 pkg:cargo/a@1.0.0 direct app>a")
}

func TestKeysOfACargoLockAreExact(t *testing.T) {
	_, found, _ := inventoryOf(t, map[string]string{"Cargo.lock": "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nVersion = \"9.9.9\"\nsource = \"r\"\n"})
	sameLines(t, found, "Cargo.lock:1 pkg:cargo/a@1.0.0")
}

func TestCargoFilesThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct{ file, text string }{
		"a lockfile cut short":         {"Cargo.lock", inventorytest.CargoLock[:200]},
		"a package without a version":  {"Cargo.lock", "[[package]]\nname = \"a\"\nsource = \"r\"\n"},
		"a package that is no table":   {"Cargo.lock", "package = [1, 2]\n"},
		"a key that stands twice":      {"Cargo.lock", "[[package]]\nname = \"a\"\nversion = \"1\"\nversion = \"2\"\nsource = \"r\"\n"},
		"a manifest cut short":         {"Cargo.toml", "[dependencies\n"},
		"a manifest without lockfile":  {"Cargo.toml", "[target.'cfg(unix)'.dependencies]\na = \"1\"\n"},
		"a workspace without lockfile": {"Cargo.toml", "[workspace.dependencies]\na = \"1\"\n"},
	} {
		_, found, gaps := inventoryOf(t, map[string]string{c.file: c.text})
		if len(found) > 0 || blocking(gaps) != 1 {
			t.Errorf("%s: found %+v, gaps %+v", name, found, gaps)
		}
	}
}

func TestAWorkspaceSharesItsCargoLock(t *testing.T) {
	_, _, gaps := inventoryOf(t, map[string]string{"Cargo.lock": inventorytest.CargoLock, "crates/a/Cargo.toml": "[dev-dependencies]\nleft = \"1\"\n", "Cargo.toml": "[workspace]\nmembers = [\"crates/*\"]\n"})
	if blocking(gaps) > 0 {
		t.Errorf("gaps: %+v", gaps)
	}
}
