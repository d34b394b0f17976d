package steward_test

import (
	"os"
	"reflect"
	"regexp"
	"steward"
	"steward/mock"
	"strings"
	"testing"
	"time"
)

// The example of the README, word for word.

// Kettle rings when it is hot.
type Kettle struct {
	Degrees uint8   `json:"degrees" steward:"default=20,max=100"`
	Owner   *string `json:"owner,omitempty" steward:"max=40"`
}

type Heat struct {
	Degrees uint8 `json:"degrees" steward:"min=1"`
}

var kettles = steward.Serve(steward.Service[Kettle]{
	Factory: "/core/kettles",
	Patch: steward.Kinds[Kettle]{
		"heat": steward.With((*Kettle).heat),
		"ring": steward.Do[Kettle]((*Kettle).ring),
	},
	Maintenance: steward.Every(time.Minute, (*Kettle).cool),
})

func (k *Kettle) heat(ctx *steward.Context, heat Heat) error {
	if uint(k.Degrees)+uint(heat.Degrees) > 100 {
		return steward.Conflict("water boils at 100")
	}
	k.Degrees += heat.Degrees
	if k.Degrees == 100 {
		ctx.SelfPatch(map[string]string{"kind": "ring"}).After(3 * time.Second)
	}
	return nil
}

func (k *Kettle) ring(ctx *steward.Context) error {
	ctx.Create("/core/rings", map[string]string{"kettle": ctx.Link()})
	k.Degrees = 90
	return nil
}

func (k *Kettle) cool(ctx *steward.Context) error {
	k.Degrees = max(k.Degrees-min(k.Degrees, 5), 20)
	return nil
}

func TestAHotKettleRingsAfterThreeSeconds(t *testing.T) {
	host := mock.Serving(t, kettles)
	host.Answering("/core/rings", func(*steward.Effect) *mock.Response { return mock.Answer(201, nil) })
	kettle := host.Post("/core/kettles", `{}`).Link()
	host.Patch(kettle, `{"kind": "heat", "degrees": 0}`).IsRefused(400, "/degrees")
	host.Patch(kettle, `{"kind": "heat", "degrees": 80}`)
	host.Restart()                // timers outlive it
	host.Advance(3 * time.Second) // virtual time: nobody waits
	if sent := host.Sent[1].Effect; sent.To != "/core/rings" || len(host.Versions(kettle)) != 3 {
		t.Errorf("sent to %s", sent.To)
	}
}

func TestTheReadmeShowsThisFile(t *testing.T) {
	readme, here := text(t, "README.md"), text(t, "readme_test.go")
	for _, block := range strings.Split(readme, "```go\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		for line := range strings.Lines(block) {
			if !strings.Contains(here, strings.TrimRight(line, "\n")) {
				t.Errorf("the README shows another line: %s", line)
			}
		}
	}
}

func text(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheTablesNameWhatThereIsAndAllOfIt(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for title, subjects := range map[string][]any{
		"## The context":   {&steward.Context{}, &steward.Effect{}},
		"## The mock host": {&mock.Host{}, &mock.Ask{}, &mock.Response{}},
	} {
		_, section, _ := strings.Cut(string(readme), title)
		section, _, _ = strings.Cut(section, "\n## ")
		there := map[string]bool{}
		for _, subject := range subjects {
			for i := range reflect.TypeOf(subject).NumMethod() {
				name := reflect.TypeOf(subject).Method(i).Name
				there[name] = true
				if !regexp.MustCompile(`[ .\x60]` + name + `[(\x60]`).MatchString(section) {
					t.Errorf("%s leaves out %s", title, name)
				}
			}
		}
		rows := strings.Join(regexp.MustCompile(`(?m)^\|.*$`).FindAllString(section, -1), "\n")
		for _, called := range regexp.MustCompile(`\x60\.?([A-Z]\w*)\(`).FindAllStringSubmatch(rows, -1) {
			if !there[called[1]] {
				t.Errorf("%s names %s, which is not there", title, called[1])
			}
		}
	}
}
