// Package world is the one place that sees both sides, gateway and server (D2). It holds the
// measurements of `monban-server bench`; its folder e2e holds the tests over real processes. `serve`
// never reaches it: it can present cards to simulated readers, which no real server may.
package world
