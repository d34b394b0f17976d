// Package surroundings is where package mock puts itself in the place of the host while a guest runs in a test.
package surroundings

// Interface is what a guest may ask of its host.
type Interface interface {
	Log(level uint8, message, fields string)
	Read(link string) (string, error)
	Query(spec string) (string, error)
	Stat(name string, value float64)
}

// Host is around the call that runs; nil between calls. Guests run one at a time.
var Host Interface
