package main

import (
	"fmt"
	"steward/mock"
	"testing"
	"time"
)

// What a diary tells of its life.

func TestLettersArriveWhenTheyAreDueAndTheirAnswersComeBack(t *testing.T) {
	host := mock.Serving(t, service)
	reader := host.Post("/core/diaries", `{}`).Link()
	writer := host.Post("/core/diaries", `{}`).Link()
	letters := `{"letters": [{"to": %[1]q, "note": "late", "delayMillis": 50, "tag": "late"}, {"to": %[1]q, "note": "soon"}]}`
	host.Patch(writer, fmt.Sprintf(letters, reader))
	host.Restart() // timers outlive it
	host.Advance(60 * time.Millisecond)
	host.Get(reader).Has("/notes", []string{"soon", "late"})
	host.Get(writer).Has("/replies", []string{"late 200"}).Has("/creates", 1).Has("/starts", 2)
	host.Advance(time.Second)
	host.Get(writer).Has("/ticks", 10)
}

func TestALetterCanBeTakenBack(t *testing.T) {
	host := mock.Serving(t, service)
	one := host.Post("/core/diaries", `{}`).Link()
	host.Patch(one, fmt.Sprintf(`{"letters": [{"to": %[1]q, "note": "a", "delayMillis": 9, "tag": "a+b &c"}, {"to": %[1]q, "note": "b", "delayMillis": 9}]}`, one))
	host.Patch(one, `{"cancel": "a+b &c"}`)
	host.Advance(20 * time.Millisecond)
	host.Get(one).Has("/notes", []string{"b"})
}

func TestAnEndIsToldToTheHeir(t *testing.T) {
	host := mock.Serving(t, service)
	heir := host.Post("/core/diaries", `{}`).Link()
	one := host.Post("/core/diaries", fmt.Sprintf(`{"documentSelfLink": "one", "heir": %q}`, heir)).Link()
	host.Patch(one, `{"expiresInMillis": 10}`)
	host.Advance(20 * time.Millisecond)
	host.Get(heir).Has("/notes", []string{"one ended"})
}
