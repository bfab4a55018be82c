package api

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"xyra/store"
	"xyra/store/storetest"
)

// Events that come on two replicas, each also a second time, while their months are billed, cancelled and billed again and
// the zone, the currency and the price of another model change: in the end each event is on one invoice, once.
func TestMoney_RacesBillEveryEventOnce(t *testing.T) {
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		target.Now = time.Now
		first := newServer(t, storetest.Open(t, target), Options{})
		servers := []*Server{first, newServer(t, storetest.Open(t, target), Options{})}
		n := newTenant(t, first, "Race")
		model := n.model(`"model_type":"activity","activity_price_per_action":0.335,"activity_action_type":"call"`)
		other := n.model(`"model_type":"seat","seat_price_per_seat":1`)
		agents := []string{n.agent("one", `,"billing_model_id":`+model), n.agent("two", `,"billing_model_id":`+model)}
		used := map[string]*big.Rat{"2024-1": new(big.Rat), "2024-2": new(big.Rat), "2024-3": new(big.Rat)}
		var guard sync.Mutex
		var all sync.WaitGroup
		for writer := range 6 {
			all.Go(func() {
				random := rand.New(rand.NewPCG(uint64(writer), 1))
				for i := range 25 {
					month, quantity := 1+random.IntN(3), big.NewRat(1+random.Int64N(9999), 1000)
					body := fmt.Sprintf(`{"activity_type":"call","quantity":%s,"timestamp":"2024-0%d-15","idempotency_key":"w%d-%d"}`, plain(quantity), month, writer, i)
					path := "/api/v1/agents/" + agents[random.IntN(2)] + "/activities"
					for range 1 + random.IntN(2) {
						if w := ask(servers[random.IntN(2)], http.MethodPost, path, n.admin, body); w.Code != http.StatusOK {
							t.Errorf("%s: %d %s", body, w.Code, w.Body)
						}
					}
					guard.Lock()
					sum := used[fmt.Sprint("2024-", month)]
					sum.Add(sum, quantity)
					guard.Unlock()
				}
			})
		}
		for biller := range 2 {
			all.Go(func() { n.billAndCancel(servers, rand.New(rand.NewPCG(uint64(biller), 2)), other) })
		}
		all.Wait()
		for month := range 4 {
			ask(first, http.MethodPost, fmt.Sprintf("/api/v1/invoices/generate/monthly?org_id=%s&year=2024&month=%d", n.id, month+1), n.root, "")
		}
		for period, billed := range n.billed() {
			if want := used[period]; want == nil || want.Cmp(billed) != 0 {
				t.Errorf("%s: %s is billed, used is %v", period, plain(billed), want)
			}
		}
		wantNoFaults(t, first.db)
	})
}

// billAndCancel bills random months, cancels random invoices and changes what must not matter.
func (n *tenant) billAndCancel(servers []*Server, random *rand.Rand, model string) {
	var made []string
	for range 40 {
		s := servers[random.IntN(2)]
		var w *httptest.ResponseRecorder
		switch random.IntN(4) {
		case 0:
			w = ask(s, http.MethodPut, "/api/v1/billing-models/"+model, n.root, fmt.Sprintf(`{"seat_price_per_seat":%d}`, 1+random.IntN(9)))
		case 1:
			w = ask(s, http.MethodPut, "/api/v1/organizations/"+n.id, n.root, `{"timezone":"`+pick(random, "UTC", "Asia/Tokyo", "America/New_York")+`"}`)
		case 2:
			if len(made) == 0 {
				continue
			}
			w = ask(s, http.MethodPost, "/api/v1/invoices/"+pick(random, made...)+"/cancel", n.root, "")
		default:
			answer := ask(s, http.MethodPost, fmt.Sprintf("/api/v1/invoices/generate/monthly?org_id=%s&year=2024&month=%d", n.id, 1+random.IntN(3)), n.root, "")
			if w = answer; answer.Code == http.StatusOK {
				made = append(made, string(child(parsed(n.t, answer.Body.Bytes()), "id").Raw()))
			}
		}
		if w.Code >= 500 {
			n.t.Errorf("%d", w.Code)
		}
	}
}

// billed adds up the quantities on invoices that count, by the month in which they were used.
func (n *tenant) billed() map[string]*big.Rat {
	var list []struct {
		ID     json.Number
		Status string
	}
	if err := json.Unmarshal(ask(n.s, http.MethodGet, "/api/v1/invoices?limit=1000&org_id="+n.id, n.root, "").Body.Bytes(), &list); err != nil {
		n.t.Fatal(err)
	}
	sums := map[string]*big.Rat{}
	for _, i := range list {
		if i.Status == "cancelled" {
			continue
		}
		var invoice struct {
			Lines []struct {
				Quantity json.Number
				Metadata struct {
					Period string `json:"billing_period"`
				} `json:"item_metadata"`
			} `json:"line_items"`
		}
		if err := json.Unmarshal(ask(n.s, http.MethodGet, "/api/v1/invoices/"+string(i.ID), n.root, "").Body.Bytes(), &invoice); err != nil {
			n.t.Fatal(err)
		}
		for _, line := range invoice.Lines {
			if sums[line.Metadata.Period] == nil {
				sums[line.Metadata.Period] = new(big.Rat)
			}
			quantity, _ := new(big.Rat).SetString(string(line.Quantity))
			sums[line.Metadata.Period].Add(sums[line.Metadata.Period], quantity)
		}
	}
	if len(sums) < 3 {
		n.t.Errorf("only %d months were billed", len(sums))
	}
	return sums
}
