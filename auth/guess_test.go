package auth_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"xyra"
	"xyra/auth"
	"xyra/store"
	"xyra/store/storetest"
)

func isLong() bool { return os.Getenv("XYRA_TEST_LONG") != "" }

// Promise 15: guesses that are spread over three replicas, accounts and addresses are looked at ten times a quarter of an hour
// for each pair, and the owner logs in from elsewhere all the while.
func TestLogin_SpreadGuessesAreBounded(t *testing.T) {
	guesses := 120
	if isLong() {
		guesses = 1000
	}
	storetest.EachTarget(t, func(t *testing.T, target store.Options) {
		clock := storetest.NewClock(storetest.Start)
		target.Now = clock.Now
		w := newWorld(t, storetest.Open(t, target), clock)
		gates := []*auth.Gate{w.gate, newGate(t, storetest.Open(t, target), clock.Now), newGate(t, storetest.Open(t, target), clock.Now)}
		accounts := []string{"admin@northwind.io", "member@northwind.io", "nobody@nowhere.io"}
		addresses := []string{home, "192.0.2.2", "192.0.2.3"}
		var mu sync.Mutex
		evaluated := map[string]int{}
		var guessers sync.WaitGroup
		for n := range 6 {
			guessers.Go(func() {
				for range guesses / 6 {
					account, address := accounts[rand.IntN(len(accounts))], addresses[rand.IntN(len(addresses))]
					_, err := gates[n%len(gates)].Login(t.Context(), account, fmt.Sprint("guess ", rand.Int()), address)
					switch {
					case xyra.HasCode(err, xyra.CodeUnauthenticated):
						mu.Lock()
						evaluated[account+" "+address]++
						mu.Unlock()
					case !xyra.HasCode(err, xyra.CodeLimited):
						t.Errorf("%s from %s: %v", account, address, err)
					}
				}
			})
		}
		for n := range 6 {
			if _, err := gates[n%len(gates)].Login(t.Context(), accounts[n%2], password, elsewhere); err != nil {
				t.Errorf("the owner from elsewhere: %v", err)
			}
		}
		guessers.Wait()
		for pair, count := range evaluated {
			if count > 10 || isLong() && count != 10 {
				t.Errorf("%s: %d guesses are looked at", pair, count)
			}
		}
	})
}

// Wrong passwords of somebody and of nobody take equally long. Medians are compared in the nightly run only; always, that both
// are hashed at the same cost.
func TestLogin_NobodyTakesAsLongAsSomebody(t *testing.T) {
	target := storetest.SQLite(t)
	clock := storetest.NewClock(storetest.Start)
	target.Now = clock.Now
	w := newWorld(t, storetest.Open(t, target), clock)
	hash, err := w.gate.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	w.insert(xyra.User{Email: "ada@northwind.io", IsActive: true, Role: xyra.RoleUser, Organization: w.northwind, PasswordHash: hash})
	if cost := hash[:strings.LastIndexByte(hash[:strings.LastIndexByte(hash, '$')], '$')]; !strings.HasPrefix(auth.NobodysHash, cost+"$") {
		t.Errorf("nobody's hash %s has not the cost of %s", auth.NobodysHash, cost)
	}
	times := 3
	if isLong() {
		times = 300
	}
	took := map[string][]time.Duration{}
	emails := []string{"ada@northwind.io", "nobody@nowhere.io"}
	for range times {
		slices.Reverse(emails) // the first of a round sweeps old attempts out
		for _, email := range emails {
			started := time.Now()
			w.refused(w.login(email, "wrong", home), xyra.CodeUnauthenticated, wrongLogin)
			took[email] = append(took[email], time.Since(started))
		}
		clock.Advance(16 * time.Minute)
	}
	median := func(email string) float64 {
		slices.Sort(took[email])
		return took[email][times/2].Seconds()
	}
	somebody, nobody := median("ada@northwind.io"), median("nobody@nowhere.io")
	t.Logf("medians of %d: somebody %.2f ms, nobody %.2f ms", times, 1000*somebody, 1000*nobody)
	if ratio := somebody / nobody; isLong() && (ratio < 0.95 || ratio > 1.05) {
		t.Errorf("somebody takes %.3f times as long as nobody", ratio)
	}
}

// The time that a key takes to be refused does not tell how much of it was right. Two times a hundred thousand samples, taken
// by turns, in the nightly run.
func TestCaller_RefusalTellsNothingOfAKey(t *testing.T) {
	samples := 1000
	if isLong() {
		samples = 100_000
	}
	target := storetest.SQLite(t)
	clock := storetest.NewClock(storetest.Start)
	target.Now = clock.Now
	w := newWorld(t, storetest.Open(t, target), clock)
	_, header := w.key(w.admin, nil)
	last := byte('x')
	if header[len(header)-1] == last {
		last = 'y'
	}
	near := header[:len(header)-1] + string(last)
	far := header[:len("Bearer xyra_")] + strings.Repeat(string(last), len(header)-len("Bearer xyra_"))
	took := map[string][]time.Duration{}
	for range samples {
		for _, h := range []string{near, far} {
			started := time.Now()
			if _, err := w.gate.Caller(t.Context(), h); err == nil {
				t.Fatal("a wrong key is let in")
			}
			took[h] = append(took[h], time.Since(started))
		}
	}
	median := func(h string) float64 {
		slices.Sort(took[h])
		return took[h][samples/2].Seconds()
	}
	ratio := median(near) / median(far)
	t.Logf("medians of %d: %.2f µs right but for the last letter, %.2f µs all wrong", samples, 1e6*median(near), 1e6*median(far))
	if isLong() && (ratio < 0.98 || ratio > 1.02) {
		t.Errorf("a nearly right key takes %.3f times as long", ratio)
	}
}

// Sixty passwords that anybody would try first are not taken.
func TestSetPassword_RefusesWhatIsGuessedFirst(t *testing.T) {
	w := newWorld(t, storetest.Open(t, func() store.Options {
		o := storetest.SQLite(t)
		o.Now = func() time.Time { return storetest.Start }
		return o
	}()),
		storetest.NewClock(storetest.Start))
	weak := strings.Fields(`password 12345678 123456789 1234567890 qwertyuiop qwerty123 password1 password123 iloveyou sunshine princess football
		baseball superman trustno1 welcome1 passw0rd p@ssw0rd letmein1 abcd1234 abc12345 1q2w3e4r 1q2w3e4r5t 1qaz2wsx qazwsxedc zaq12wsx 11111111 00000000
		88888888 12341234 87654321 987654321 asdfghjkl q1w2e3r4 admin123 administrator changeme changethis Password PASSWORD1 Passw0rd P@ssw0rd Welcome1
		admin root test 123456 qwerty abc123 a short 1234567 secret pass letmein monkey dragon master member@northwind.io MEMBER@Northwind.IO`)
	weak = append(weak, "", strings.Repeat("a", auth.PasswordLengthMax+1))
	if len(weak) < 60 {
		t.Errorf("%d passwords, want 60", len(weak))
	}
	for _, p := range weak {
		if err := w.gate.SetPassword(t.Context(), "member@northwind.io", p); err == nil {
			t.Errorf("%q is taken", p)
		}
	}
}
