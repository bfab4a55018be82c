// Package webhook sends notices to the endpoints of organizations, signed as Standard Webhooks says.
//
// A job makes the attempts of one delivery: at once, then after pauses that double from 5 seconds to 2 hours, for three
// days. Only an answer from 200 to 299 counts. A receiver may see a message twice, always under the same webhook-id.
//
// The addresses come from customers, so nothing is believed of them. Every name is resolved here and each address checked
// before and at the dial, no matter what the name led to when it was saved. Redirects are not followed, proxies of the
// environment not used, answers not decoded and read no further than their head. One attempt takes 10 seconds at most.
//
// An endpoint that does not answer, or slowly, is tried by one worker alone and given a rest, and all such endpoints
// together have half of the workers: the others never wait for them.
package webhook
