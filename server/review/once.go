package review

// Once says how often the same is told. What is not told is counted, and a later finding says how many.
type Once uint8

// Ways of telling. "The same" is kind, gateway, door and detail, and no lower severity.
const (
	OnceEach          Once = iota // each cause is told
	OncePerAttempt                // one for an attempt, ever; the rest is the same and is not counted
	OncePerWindow                 // one within the window around it
	OncePerDay                    // one a site day on which it happened
	OncePerArrivalDay             // one a site day on which it was told, of the gateway
)
