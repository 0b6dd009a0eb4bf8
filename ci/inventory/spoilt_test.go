package inventory

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"verdict/ci/inventory/inventorytest"
)

// everyLock is a file of each kind that says which versions are taken.
func everyLock() map[string]string {
	all := maps.Clone(lockTexts)
	maps.Copy(all, map[string]string{
		"go.mod": inventorytest.GoMod, "Cargo.lock": inventorytest.CargoLock, "package-lock.json": inventorytest.PackageLock, "old/package-lock.json": inventorytest.OldPackageLock,
		"yarn.lock": yarnClassic, "berry/yarn.lock": yarnBerry, "bun.lock": bunLockText, "5/pnpm-lock.yaml": pnpmLock5, "6/pnpm-lock.yaml": pnpmLock6, "9/pnpm-lock.yaml": pnpmLock9,
		"requirements.txt": requirementsText, "poetry.lock": poetryLock2, "uv.lock": uvLockText, "pdm.lock": pdmLockText, "Pipfile.lock": pipfileLockText, "pylock.toml": pylockText,
		"pom.xml": `<project>
<groupId>g</groupId><artifactId>a</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.log</groupId><artifactId>log-core</artifactId><version>2.14.1</version></dependency>
</dependencies>
</project>
`, "libs.versions.toml": gradleCatalogText, "2/conan.lock": conanLock2, "1/Package.resolved": swiftLock1,
		"Dockerfile": inventorytest.Dockerfile, "main.tf": inventorytest.Terraform, ".github/workflows/a.yml": inventorytest.Workflow,
	})
	return all
}

// namesIn gives the components that one file names, and what is told to hold the answer back.
// What a Dockerfile refers to is matched with nothing, so that a gap there holds nothing back.
func namesIn(t *testing.T, file, text string) (all, told []string) {
	t.Helper()
	_, found, gaps := inventoryOf(t, map[string]string{file: text})
	for _, d := range found {
		all = append(all, d.PURL)
	}
	for _, g := range gaps {
		if g.Blocks || file == "Dockerfile" {
			told = append(told, g.Reason)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), told
}

func utf16be(s string) string {
	out := []byte(utf16le(s))
	for i := 0; i+1 < len(out); i += 2 {
		out[i], out[i+1] = out[i+1], out[i]
	}
	return string(out)
}

// A file that an editor, a merge or a hand has spoilt names what it did before, or is told
// not to have been judged: what a person reads as a list of dependencies is never nothing.
func TestASpoiltFileNamesAllOrIsTold(t *testing.T) {
	for file, text := range everyLock() {
		whole, before := namesIn(t, file, text)
		if len(whole) == 0 {
			t.Fatalf("%s names nothing", file)
		}
		spoilt := map[string]string{
			"in UTF-16, little end first": utf16le(text), "in UTF-16, big end first": utf16be(text), "with a mark of UTF-8": "\xef\xbb\xbf" + text,
			"with the line ends of Windows": strings.ReplaceAll(text, "\n", "\r\n"), "with a NUL": text[:len(text)/2] + "\x00" + text[len(text)/2:],
		}
		for _, name := range whole[:min(len(whole), 3)] {
			name = name[strings.LastIndex(name, "/")+1:]
			name, _, _ = strings.Cut(name, "@")
			if i := strings.Index(text, name); i >= 0 {
				spoilt["no UTF-8 in the name "+name] = text[:i+1] + "\xff" + text[i+1:]
			}
		}
		lines := strings.SplitAfter(text, "\n")
		half := len(lines) / 2
		spoilt["with a conflict"] = strings.Join(lines[:half], "") + "<<<<<<< HEAD\n" + lines[half] + "=======\n" + lines[half] + ">>>>>>> side\n" + strings.Join(lines[half+1:], "")
		for how, text := range spoilt {
			got, told := namesIn(t, file, text)
			silent := !slices.ContainsFunc(told, func(s string) bool { return !slices.Contains(before, s) })
			lost := slices.DeleteFunc(slices.Clone(whole), func(p string) bool { return slices.Contains(got, p) })
			if len(lost) > 0 && silent {
				t.Errorf("%s %s: %d of %d components are lost and nothing says so: %v", file, how, len(lost), len(whole), lost)
			}
			for _, p := range got {
				if !utf8.ValidString(p) || strings.Contains(p, "\x00") || !slices.Contains(whole, p) && silent {
					t.Errorf("%s %s: it names %q", file, how, p)
				}
			}
		}
	}
}
