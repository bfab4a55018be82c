// Package xyra holds the nouns of a billing backend for AI agents: plain values with the rules that need no
// database, no network and no clock. Every other package speaks of these words and of no others; the same words
// stand in JSON, SQL, URLs and the documents.
//
//	Operator      the company that runs an instance; its people are superusers.
//	Organization  a customer of the operator: the tenant that owns everything below.
//	User          a person with a password: superuser, or user or admin of one organization.
//	API key       a secret that lets a program act for one organization.
//	Caller        who asks: a user or an API key, with the rights it has at this moment.
//	Agent         a program of an organization that reports events.
//	Event         one thing an agent reported: an activity, a cost or an outcome. Kept once, for ever.
//	Activity      an event that says what the agent did, with a quantity.
//	Cost          an event that says what running the agent cost, with an amount.
//	Outcome       an event that says what the agent achieved, with a value.
//	Charge        what the customer owes for one event, exact and unrounded.
//	Billing model how an organization pays for an agent: a named list of components with versions.
//	Version       what a billing model was from one instant on; prices never change inside a version.
//	Component     one priced part of a version: a base fee, seats, an activity type or an outcome type.
//	Period        a calendar month in an organization's time zone; what one generated invoice covers.
//	Usage         what events add up to, kept per hour (for analytics) and per period (for invoices).
//	Invoice       a bill of lines in one currency; generated for a period, or written by hand.
//	Line          one row of an invoice: quantity times unit price, rounded once.
//	Payment       one row of an invoice's payment book: money in, money back, credit spent. Never changed.
//	Credit        money of an organization that no invoice has taken yet, in one currency.
//	Checkout      a session on a page of Stripe's where an invoice is paid.
//	Notice        a thing that happened to an organization, made to be told; what receivers of webhooks call an event.
//	Endpoint      an address of an organization's that is told of notices, signed with its own secret.
//	Delivery      one notice on its way to one endpoint.
//	Threshold     a charge of a period at which an endpoint is told, once.
//	Job           work promised in the transaction of its cause and done after it, at least once.
//	Audit entry   who changed what and when; each entry carries the hash of the one before.
package xyra
