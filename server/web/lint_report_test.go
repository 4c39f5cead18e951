package web

import "monban/server/report"

// reportFamilies are the words that papers choose by a value.
var reportFamilies = func() map[string][]string {
	f := map[string][]string{"done": {"forms_saved", "organisation_saved"}}
	f["plot_day"] = []string{"mon", "tue", "wed", "thu", "fri", "sat", "closed"}
	f["plot_letter"] = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	f["plot_state"] = []string{"signed", "open", "late", "exception"}
	f["held_state"] = []string{"now", "later", "suspended", "inactive"}
	for _, k := range reportKinds() {
		f["report_kind"], f["report_text"] = append(f["report_kind"], k.word), append(f["report_text"], k.word)
	}
	f["report_kind"] = append(f["report_kind"], dayPaper.word)
	for _, x := range report.Formats() {
		f["report_format"] = append(f["report_format"], string(x))
	}
	for _, s := range []report.State{report.Waiting, report.Running, report.Done, report.Failed, report.Lost} {
		f["report_state"] = append(f["report_state"], string(s))
	}
	return f
}()

func init() { moreFamilies = append(moreFamilies, reportFamilies) }
