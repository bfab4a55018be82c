package billing

import (
	"io"

	"xyra"
)

// Issuer is what the installation puts on invoices. Only Random is required.
type Issuer struct {
	Random  io.Reader // for the random part of numbers
	Numbers NumberPattern
	Seller  xyra.Party

	Mails    bool // whether invoices can be sent by e-mail
	MailsAll bool // whether each new invoice is
}

// parties freezes both sides: later changes of the organization or of the settings leave an issued invoice as it is.
func (by Issuer) parties(customer xyra.Organization) xyra.Parties {
	return xyra.Parties{Seller: by.Seller, Customer: customer.Customer()}
}
