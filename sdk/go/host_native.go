//go:build !wasip1

package steward

import "steward/internal/surroundings"

// What a test puts in the place of the host, see package mock.

func hostLog(level Level, message, fields string) {
	if host := surroundings.Host; host != nil {
		host.Log(uint8(level), message, fields)
	}
}

func hostRead(link string) (string, *Fault) {
	return answered(link, func(host surroundings.Interface) (string, error) { return host.Read(link) })
}

func hostQuery(spec string) (string, *Fault) {
	return answered("query", func(host surroundings.Interface) (string, error) { return host.Query(spec) })
}

func answered(what string, ask func(surroundings.Interface) (string, error)) (string, *Fault) {
	if surroundings.Host == nil {
		return "", Refused(503, "no-host", "cannot read "+what+": there is no host around this call")
	}
	text, err := ask(surroundings.Host)
	if err != nil {
		return "", FaultOf(err)
	}
	return text, nil
}

func hostStat(name string, value float64) {
	if host := surroundings.Host; host != nil {
		host.Stat(name, value)
	}
}
