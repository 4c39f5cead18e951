package app

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"monban/server/report"
)

// drawn makes a picture of the QR code that stands in a page as a path of rectangles, 6 dots a module.
func drawn(t *testing.T, page string) string {
	t.Helper()
	m := regexp.MustCompile(`class="code"[^>]* viewBox="0 0 (\d+) \d+".*?<path fill="#000000" d="([^"]+)"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatal("the page has no code")
	}
	var size int
	if _, err := fmt.Sscan(m[1], &size); err != nil {
		t.Fatal(err)
	}
	const dots = 6
	img := image.NewGray(image.Rect(0, 0, size*dots, size*dots))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	for _, r := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-\d+z`).FindAllStringSubmatch(m[2], -1) {
		var x, y, w int
		if _, err := fmt.Sscan(r[1], &x); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(r[2]+" "+r[3], &y, &w); err != nil {
			t.Fatal(err)
		}
		for dy := range dots {
			for dx := range w * dots {
				img.SetGray(x*dots+dx, y*dots+dy, color.Gray{})
			}
		}
	}
	path := filepath.Join(t.TempDir(), "code.png")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// EV-4: another program's reader gets out of the QR code on a register what the log is compared with.
func TestCodeOnRegisterIsCompared(t *testing.T) {
	reader, err := exec.LookPath("zbarimg")
	if err != nil {
		const why = "zbarimg is not installed (apt-get install zbar-tools); no reader has read the code"
		if os.Getenv("CI") != "" {
			t.Fatal(why)
		}
		t.Skip("SKIPPED, NOT PASSED: " + why)
	}
	cfg := testSite(t)
	leaves(t, cfg, 3)
	signed, err := Newest(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	page, err := report.HTML(&report.Document{Lang: "ja", Title: "入退室管理簿", Checkpoint: signedLog(signed), Labels: report.Labels{Verify: "検証コード"}}, strings.Repeat("0f", 32), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command(reader, "--quiet", "--raw", "--oneshot", drawn(t, string(page))).CombinedOutput()
	if err != nil || !strings.Contains(string(text), "monban/") {
		t.Fatalf("zbarimg: %v\n%s", err, text)
	}
	if c, err := Compare(t.Context(), cfg, string(text)); err != nil || c.Result != ComparedSame || !c.Signed {
		t.Errorf("%q: %+v %v", text, c, err)
	}
	leaves(t, cfg, 2)
	if c, err := Compare(t.Context(), cfg, string(text)); err != nil || c.Result != ComparedOlder || !c.Signed {
		t.Errorf("later: %+v %v", c, err)
	}
}
