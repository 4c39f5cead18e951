// Package rehearse answers "can X enter Y at T?", "who can enter Y at T?" and "what would a draft of
// the rules have decided otherwise?" with the very Decide that the doors use (VR-9).
//
// It is pure: policies, directory, past requests and times are arguments, nothing is written, and no
// door moves. What it says of the moving state (who is inside, wrong PINs) is what the caller hands it.
package rehearse
