package api

import (
	"strings"
	"testing"
)

func cloudEvent(id, source, more string) string {
	return `{"specversion":"1.0","id":"` + id + `","source":"` + source + `","type":"call","subject":"crm/1"` + more + `}`
}

// Source and id are two texts, not one: no way of writing them makes two events one, and our own keys are apart from both.
func TestCloudEvents_SourceAndIDTogetherAreTheKey(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		list := []string{
			cloudEvent("c", "a-b", ""), cloudEvent("b-c", "a", ""), cloudEvent("b", "a", ""), cloudEvent("a", "b", ""), cloudEvent("c", "a/b", ""), cloudEvent("b/c", "a", ""),
			cloudEvent(":b", "a", ""), cloudEvent("b", "a:", ""), cloudEvent("b", "a\\u001f", ""), cloudEvent("b ", "a", ""), cloudEvent("b", "a ", ""), cloudEvent("B", "a", ""),
		}
		body := "[" + strings.Join(list, ",") + "]"
		first := m.events(m.admin, body, "12/0/0 of 12", "Content-Type", mediaCloudEvents)
		m.events(m.admin, body, "0/12/0 of 12", "Content-Type", mediaCloudEvents)
		m.events(m.admin, cloudEvent("c", "a-b", `,"data":{"quantity":1}`), "0/0/1 of 1", "Content-Type", mediaCloudEvent).
			refused(t, 0, 409, "Idempotency key c was already used with different content")
		single := m.events(m.admin, envelope(`{"kind":"activity","agent_id":`+m.agent+`,"activity_type":"call","idempotency_key":"b"}`), "1/0/0 of 1")
		if single.Results[0].ID <= first.Results[11].ID {
			t.Errorf("%+v after %+v", single, first)
		}
		other := newMarket(t, m.s, "Bolt")
		other.events(other.admin, body, "12/0/0 of 12", "Content-Type", mediaCloudEvents)
	})
}

// What the events count and cost is read from their data, which is stored as a whole.
func TestCloudEvents_DataHoldsTheNumbers(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		list := []string{
			cloudEvent("1", "s", `,"time":"2024-05-15T12:00:00+02:00","datacontenttype":"application/json","data":{"quantity":"2.5", "model":"m"}`),
			cloudEvent("2", "s", `,"time":null,"data":null,"traceparent":"00-1"`),
			cloudEvent("3", "s", `,"xyrakind":"cost","data":{"amount":0.25,"currency":"eur"}`),
			cloudEvent("4", "s", `,"xyrakind":"cost","data":{"seats":"x","actions":4}`),
			cloudEvent("5", "s", `,"xyrakind":"outcome","type":"sale","data":{"value":"30","verified":true}`),
			cloudEvent("6", "s", `,"xyrakind":"cost","data":{"seats":1,"actions":4}`),
		}
		list[4] = strings.Replace(list[4], `"type":"call",`, "", 1)
		a := m.events(m.admin, "["+strings.Join(list, ",")+"]", "5/0/1 of 6", "Content-Type", mediaCloudEvents)
		for n, charge := range map[int]string{0: "1.25", 1: "0.5", 2: "0.0", 4: "3.0", 5: "0.0"} {
			if got := string(a.Results[n].Charge); got != charge {
				t.Errorf("charge of %d is %s, want %s", n, got, charge)
			}
		}
		a.refused(t, 3, 422, `"loc":["body","events",3,"data","seats"]`)
		m.wants("/agents/"+m.agent+"/activities?to=2024-05-15T10:00:00Z", "items.0.activity_metadata", `{"quantity":"2.5","model":"m"}`)
		m.wants("/agents/"+m.agent+"/costs", "items.0.amount", "12.0")
		m.wants("/agents/"+m.agent+"/costs", "items.1.currency", `"EUR"`)
		m.wants("/agents/"+m.agent+"/outcomes", "items.0.verified", "true")
	})
}

// What is missing or wrong is said by item, in the words of every other refusal.
func TestCloudEvents_FaultsAreNamed(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		list := []string{
			`{}`, `7`, cloudEvent("1", "s", `,"data_base64":"AA=="`), cloudEvent("2", "s", `,"data":"text"`), cloudEvent("3", "s", `,"data":{"quantity":0}`),
			strings.Replace(cloudEvent("4", "s", ""), "1.0", "0.3", 1), cloudEvent("", "", ""), cloudEvent("5", "s", `,"xyrakind":"outcome"`),
			cloudEvent("6", "s", `,"xyrakind":"sum"`), cloudEvent("7", "s", `,"time":"2999-01-01T00:00:00Z"`), cloudEvent("8", "s", `,"xyrakind":"cost","data":{}`),
			strings.Replace(cloudEvent("9", "s", ""), "crm/1", "crm/2", 1),
		}
		a := m.events(m.admin, "["+strings.Join(list, ",")+"]", "0/0/12 of 12", "Content-Type", mediaCloudEvents)
		for n, part := range []string{
			`"loc":["body","events",0,"specversion"],"msg":"Field required"`, `"model_attributes_type"`, `"msg":"Value error, data_base64 is not supported, send data as a JSON object"`,
			`"type":"dict_type","loc":["body","events",3,"data"]`, `"type":"greater_than","loc":["body","events",4,"data","quantity"]`, `"loc":["body","events",5,"specversion"]`,
			`"type":"string_too_short","loc":["body","events",6,"id"]`, `"type":"missing","loc":["body","events",7,"data"]`, `"type":"literal_error"`,
			`time must not be more than 5 minutes in the future`, `"type":"missing","loc":["body","events",10,"data","amount"]`, `"Agent not found"`,
		} {
			code := 422
			if n == 11 {
				code = 404
			}
			a.refused(t, n, code, part)
		}
		for _, attribute := range []string{"id", "source", "type", "subject"} {
			if got := string(a.Results[0].Detail); !strings.Contains(got, `"loc":["body","events",0,"`+attribute+`"],"msg":"Field required"`) {
				t.Errorf("%s is not missed: %s", attribute, got)
			}
		}
		m.events(m.root, cloudEvent("1", "s", ""), "0/0/1 of 1", "Content-Type", mediaCloudEvent).refused(t, 0, 422, `"loc":["body","events",0,"xyraorganization"]`)
		m.events(m.root, cloudEvent("1", "s", `,"xyraorganization":`+m.id), "1/0/0 of 1", "Content-Type", mediaCloudEvent)
	})
}

// SDKs send in binary mode unless told otherwise: the attributes are headers then.
func TestCloudEvents_BinaryModeMeansTheSame(t *testing.T) {
	eachMarket(t, func(t *testing.T, m market) {
		headers := []string{"Ce-Specversion", "1.0", "Ce-Id", "1%20%C3%A4", "Ce-Source", "/s", "Ce-Type", "call", "Ce-Subject", "crm/1", "Ce-Time", "2024-05-15T12:00:00Z", "Content-Type", "application/json"}
		m.events(m.admin, ` {"quantity":3} `, "1/0/0 of 1", headers...)
		m.events(m.admin, cloudEvent("1 ä", "/s", `,"time":"2024-05-15T12:00:00Z","data":{"quantity":3.0}`), "0/1/0 of 1", "Content-Type", mediaCloudEvent)
		headers[3] = "2"
		m.events(m.root, "", "1/0/0 of 1", append(headers, "Ce-Xyraorganization", m.id)...)
		headers[3] = "3"
		for body, want := range map[string]string{`{"quantity":`: `"loc":["body",12]`, "\x00": `"Expecting value"`} {
			if w := m.send("/events", m.admin, []byte(body), headers...); w.Code != 422 || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%q: %d %s", body, w.Code, w.Body)
			}
		}
		keyed := append(headers, "Idempotency-Key", "k")
		m.events(m.admin, `{}`, "1/0/0 of 1", keyed...)
		keyed[3] = "4"
		if w := m.send("/events", m.admin, []byte(`{}`), keyed...); w.Code != 422 {
			t.Errorf("another event under the same Idempotency-Key: %d %s", w.Code, w.Body)
		}
	})
}
