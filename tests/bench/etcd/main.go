// Program etcd is what the group of hosts is measured beside: a member of an etcd group, or a client that puts values.
//
//	etcd serve FLAGS…                                     a member, with etcd's own flags
//	etcd put ENDPOINTS CONNECTIONS SECONDS KEYS BYTES     puts, and one line of JSON about them
//	etcd gap ENDPOINTS                                    a put after the other, a line for each that is acknowledged
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	if len(os.Args) < 3 {
		log.Fatal("serve FLAGS…, put ENDPOINTS CONNECTIONS SECONDS KEYS BYTES, or gap ENDPOINTS")
	}
	switch os.Args[1] {
	case "serve":
		etcdmain.Main(append([]string{"etcd"}, os.Args[2:]...))
	case "put":
		put(strings.Split(os.Args[2], ","), number(3), time.Duration(number(4))*time.Second, number(5), number(6))
	case "gap":
		gap(strings.Split(os.Args[2], ","))
	default:
		log.Fatalf("%s is not understood", os.Args[1])
	}
}

func number(at int) int {
	value, err := strconv.Atoi(os.Args[at])
	if err != nil {
		log.Fatalf("argument %d: %v", at, err)
	}
	return value
}

func connect(endpoints []string) *clientv3.Client {
	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: 5 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	return client
}

func put(endpoints []string, connections int, span time.Duration, keys, bytes int) {
	value := strings.Repeat("v", bytes)
	var lock sync.Mutex
	var times []time.Duration
	var group sync.WaitGroup
	began := time.Now()
	for number := range connections {
		client := connect(endpoints[number%len(endpoints) : number%len(endpoints)+1])
		group.Add(1)
		go func() {
			defer group.Done()
			defer client.Close()
			var own []time.Duration
			for n := number; time.Since(began) < span; n += connections {
				asked := time.Now()
				if _, err := client.Put(context.Background(), fmt.Sprintf("key-%07d", n%keys), value); err != nil {
					log.Fatal(err)
				}
				own = append(own, time.Since(asked))
			}
			lock.Lock()
			times = append(times, own...)
			lock.Unlock()
		}()
	}
	group.Wait()
	took := time.Since(began)
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	at := func(share float64) float64 { return times[int(float64(len(times)-1)*share)].Seconds() * 1e3 }
	told := map[string]any{
		"perSecond": float64(len(times)) / took.Seconds(),
		"answers":   len(times),
		"millis":    []float64{at(0.5), at(0.99), at(0.999)},
	}
	if err := json.NewEncoder(os.Stdout).Encode(told); err != nil {
		log.Fatal(err)
	}
}

func gap(endpoints []string) {
	client := connect(endpoints)
	for n := 0; ; n++ {
		// Asked anew soon, as a client would that wants to go on.
		asked, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		_, err := client.Put(asked, "gap", strconv.Itoa(n))
		cancel()
		if err == nil {
			fmt.Println(n)
			time.Sleep(2 * time.Millisecond)
		}
	}
}
