package ingest

import (
	"errors"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/store"
)

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

// lateAfter: a record is late when it came this long after what it tells, ms. An ordinary one takes
// well under a second; a minute is surely a lost link and not a slow one.
const lateAfter = 60_000

// spread is how far a gateway's time may be off, by quality of its clock, ms: the server's signed time
// is half a round trip off, network time a second, a battery clock drifts 10 s a week (EV-7).
func spread(q access.ClockQuality) (ms int64, known bool) {
	switch q {
	case access.ClockServer:
		return 100, true
	case access.ClockNTP:
		return 1_000, true
	case access.ClockRTC:
		return 10_000, true
	default: // none, floor, or one we do not know
		return 0, false
	}
}

// occurred estimates when a record's event happened, in server time, UTC ms, from ≤ to. last is the
// stamp of the newest record of the batch: nothing of the batch is younger than the batch, and
// records of one boot keep their distance whatever the wall clock did. The stamp itself is kept in
// the record, untouched (the server adds an interval and rewrites nothing).
func occurred(s, last wire.Stamp, nowMS int64) (from, to int64) {
	latest := nowMS
	if s.Boot == last.Boot && s.BoottimeNS <= last.BoottimeNS {
		latest = nowMS - (last.BoottimeNS-s.BoottimeNS)/1_000_000
	}
	ms, known := spread(s.Quality)
	if !known {
		// Only "not later than" is known. A gateway without a clock is online or grants nothing, so its
		// records are mostly fresh: take that moment.
		return latest, latest
	}
	at := s.WallMS + s.OffsetMS
	from, to = at-ms, at+ms
	return min(from, latest), min(to, latest)
}
