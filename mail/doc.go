// Package mail sends invoices by SMTP: one message for each job, with the PDF attached. Messages are plain text. Texts of
// people never become headers or further recipients, and a message goes to one address only.
//
// Sending happens at least once: a message that the server took, and whose job died before it could say so, is sent again
// with the same Message-ID, by which mail programs know a repeat. Without TLS nothing is sent unless that is asked for.
package mail
