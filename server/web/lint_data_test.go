package web

import "monban/server/datarequest"

// dataFamilies are words of the pages of personal data that a value chooses.
var dataFamilies = map[string][]string{
	"done":          {"data_asked", "data_withdrawn", "data_moved"},
	"own_data_kind": {"person", "entry", "act", "finding", "account"},
	"own_data_text": {"person", "entry", "act", "finding", "account"},
	"data_want":     {"disclosure", "correction", "stop"},
	"data_state":    {"asked", "taken", "decided", "done", "withdrawn"},
	"data_next":     {"asked", "taken", "decided", "done", "withdrawn"},
	"data_held":     {"restricted", "erased", "lifted"},
	"data_settle":   {"erase", "lift"},
	"data_done": {
		string(datarequest.Asked), string(datarequest.Received), string(datarequest.Taken), string(datarequest.Extended), string(datarequest.Granted), string(datarequest.InPart), string(datarequest.Refused),
		string(datarequest.Suspended), string(datarequest.Erased), string(datarequest.Lifted), string(datarequest.Carried), string(datarequest.Withdrawn),
	},
}

func init() {
	moreFamilies = append(moreFamilies, dataFamilies)
	for _, f := range dataFaults {
		if f.word != "state" || f.err == datarequest.ErrState {
			dataFamilies["data_fault"] = append(dataFamilies["data_fault"], f.word)
		}
	}
	for _, form := range []string{"take", "decide", "extend", "suspend", "carry", "withdraw"} {
		dataFamilies["data_request"] = append(dataFamilies["data_request"], form, form+"_do", form+"_text")
	}
}
