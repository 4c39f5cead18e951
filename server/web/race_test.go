//go:build race

package web_test

// underRace: tables of all routes and roles make one request at a time and say nothing about races.
const underRace = true
