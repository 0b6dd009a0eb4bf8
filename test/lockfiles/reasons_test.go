package lockfiles

// reasons explains every difference: the file, by a pattern, how the difference begins,
// and why it is as it should be.
var reasons = []struct{ file, difference, why string }{
	// What trivy leaves out.
	{"pnpm/*", "only verdict has for development", "trivy leaves development out of pnpm's lockfiles before 9.0; a build machine runs it all the same"},
	{"pnpmlock/*", "only verdict has for development", "the same"},
	{"pipfilelock/*", "only verdict has for development", "trivy reads no develop section"},
	{"pnpmlock/multi-document.v9.yaml", "only verdict has acorn@8.11.3", "trivy reads the first document alone, which holds pnpm itself and not the project"},
	{"pnpmlock/commits.yaml", "only verdict links mocks@20.0.1 to faker-parser@0.0.1", "trivy does not follow wishes for a repository"},
	{"pnpmlock/peer-dependencies-advanced.yaml", "only verdict links", "trivy does not follow wishes with peers in lockfiles of version 5"},
	{"poetry/poetry_flask.lock", "only verdict links pytest@5.4.3", "trivy leaves out what development packages need"},
	{"bunlock/peer-dependencies-*", "only verdict links acorn-jsx@5.3.2", "bun installs peers, so they are brought in"},
	{"yarn/yarn_v2_happy.lock", "only verdict has fsevents@2.1.3", "trivy leaves out packages that yarn patches"},
	{"yarn/yarn_with_bad_protocol.lock", "only verdict has asap@2.0.6", "its entry has a version, which is judged, and an address, which is told"},
	{"yarn/yarn_with_git.lock", "only verdict has mapbox-gl-feature-drag-and-drop", "a repository: judged by the version that the entry has, and told"},
	{"yarn/yarn_with_local.lock", "only verdict has local-package@0.0.1", "an archive: judged by the version that the entry has, and told"},
	{"yarnlock/commits.v?.lock", "only verdict has", "repositories: judged by the versions that the entries have, and told"},
	{"yarnlock/with-build-string.v?.lock", "only verdict has domino@2.1.6+git", "the same"},
	{"yarnlock/no-version.v1.lock", "only verdict has balanced-match@1.0.2", "trivy does not read an entry without a range"},
	{"yarnlock/with-quotes.v2.lock", "only verdict has", "trivy does not read YAML's other quotes"},
	{"uv/uv_multiple_roots.lock", "only verdict reads it", "a workspace has several projects"},
	{"uv/uv_without_root.lock", "only verdict reads it", "what the file names is judged, though it tells no project"},
	{"uvlock/*", "only verdict reads it", "the same"},

	// Names. An advisory is about the package, not about what a project calls it.
	{"bunlock/alias.json5", "only", "trivy takes the place in node_modules for the name"},
	{"bunlock/nested-dependencies*", "only", "trivy takes the place in node_modules for the name, and looks packages up without it"},
	{"yarnlock/with-aliases.v?.lock", "only", "trivy takes the alias for the name"},

	// What for: an optional package and a peer run in production where they are there.
	{"bunlock/peer-dependencies-implicit.json5", "acorn@8.14.0 is for development: verdict false", "trivy does not follow peers, and takes what it does not reach for development"},
	{"pnpmlock/*.v9.yaml", "uuid@", "trivy takes optional packages for development"},
	{"pnpmlock/multiple-versions.v9.yaml", "xmlbuilder@11.0.1 is", "trivy takes what it does not reach for development; the sample lacks what brings it in, and that is told"},
	{"pnpmlock/peer-dependencies-advanced.v9.yaml", "has-flag@4.0.0 is", "the sample lacks what brings it in, and that is told; trivy takes it for development then"},
	{"pnpmlock/peer-dependencies-advanced.v9.yaml", "supports-color@7.2.0 is", "the same"},

	// What is no component with a version: told, and not judged.
	{"pnpm/*", "only trivy has package1@", "a folder of the tree is no release"},
	{"pnpmlock/files.yaml", "only trivy has", "the same"},
	{"bunlock/files.json5", "only trivy has etag@file:", "the same"},
	{"bunlock/commits.json5", "only trivy has", "the file tells commits and no versions"},
	{"bunlock/blog-sample.json5", "only trivy has uWebSocket.js@", "the same"},
	{"pipfilelock/no-version.json", "only trivy has markupsafe@", "the same"},
	{"pnpmlock/exotic.yaml", "only trivy has", "entries without a version that can be judged: told, and they block"},
	{"pnpmlock/invalid-path*", "only trivy has @", "an entry without a name: told, and it blocks"},
	{"pnpmlock/scoped-path-no-version.yaml", "only trivy has @x/@", "the same"},

	// What is no lockfile, or of a version that nobody has described, blocks.
	{"bunlock/empty.json5", "only trivy reads it", "a lockfile of bun tells its version"},
	{"bunlock/urls.json5", "only trivy reads it", "there is no version 2 of this format"},
	{"poetrylock/empty-file.lock", "only trivy reads it", "an empty file is no lockfile of poetry"},
	{"poetrylock/source-legacy.lock", "only trivy reads it", "poetry ends its file with the metadata: without them it was cut"},

	// The other ecosystems.
	{"conan/happy_v1_case1.lock", "only trivy has pkgc@0.1.1", "it has a path: a recipe of this tree, which is told"},
	{"conan/happy_v2.lock", "only verdict has for development", "trivy leaves out what only builds need"},
	{"conanlock/*.v1*.json", "only trivy has test@1.0", "the project itself: it has a path"},
	{"conanlock/one-package-dev.v1*.json", "ninja@1.11.1 is for development: verdict true", "the graph says that it is asked for by build_requires"},
	{"conanlock/one-package-dev.v2.json", "only verdict has for development", "trivy leaves out what only builds need"},
	{"conanlock/null.v2.jsontest", "only trivy reads it", "null is no lockfile"},
	{"conanlock/old-format-0.3.json", "only verdict has zlib@1.2.11", "trivy does not read the references of this version"},
	{"pub/happy.lock", "only trivy has flutter_test@0.0.0", "a part of the SDK, whose version the file does not tell: told"},
	{"pubspec/source-sdk.lock", "only trivy has flutter_web_plugins@0.0.0", "the same"},
	{"pubspec/*.lock", "only trivy reads it", "Pub ends its file with the sdks: without them it was cut"},
	{"mix/happy.mix.lock", "only verdict links", "trivy does not read what packages of Mix ask for"},
	{"mixlock/*.lock", "only verdict links", "the same"},
	{"config/dev_dependency.config", "only verdict has for development", "trivy leaves out what only builds need; a build machine runs it all the same"},
	{"composer/composer_happy.lock", "only verdict has for development", "the same"},
	{"composerlock/*.json", "only verdict has for development", "the same"},
	{"composerlock/duplicate-packages.json", "only trivy reads it", "one package in two versions: Composer installs one of them, and which is not known"},
	{"composerlock/null.jsontest", "only trivy reads it", "null is no lockfile"},
	{"bundler/Gemfile_malformed.lock", "only trivy reads it", "a lockfile without DEPENDENCIES was cut"},
	{"gemfilelock/invalid.lock", "only trivy reads it", "a gem without a version"},
	{"gemfilelock/has-local-gem.lock", "only trivy has backbone-on-rails@", "a folder of the tree is no release"},
	{"cocoapods/*.lock", "only trivy reads it", "a lockfile with PODS and no DEPENDENCIES, or without its last line, was cut"},
	{"swift/empty-Package.resolved", "only trivy reads it", "an empty file has no pins"},
	{"swift/happy-v2-Package.resolved", "only trivy has github.com/element-hq/swift-ogg@0.0.1", "a branch that is called 0.0.1: no version, which is told"},
	{"gradlelockfile/only-comments", "only trivy reads it", "Gradle ends its file with a line for empty configurations: without it, it was cut"},
	{"gradlelockfile/with-bad-pkg", "only trivy reads it", "a line that names nothing"},
}
