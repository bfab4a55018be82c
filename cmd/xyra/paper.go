package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"xyra"
	"xyra/api"
	"xyra/jobs"
	"xyra/mail"
	"xyra/pdf"
	"xyra/store"
)

// paperSettings say how invoices are printed.
type paperSettings struct {
	Locale  string `name:"invoice-locale" env:"INVOICE_LOCALE" placeholder:"de-CH" help:"How amounts are written on invoices. Default English."`
	CJKFont string `name:"pdf-cjk-font" env:"PDF_CJK_FONT" placeholder:"FILE,…" help:"TrueType fonts (.ttf) for the characters of PDF invoices that Noto Sans lacks, such as Chinese, Japanese, Korean, Hebrew and Arabic. Default none: such a character is shown as a replacement."`
}

var localeForm = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

// printer reads the fonts once. Drawing uses half of the processors at most: the rest is for those who record events.
func (s paperSettings) printer() (api.Printer, error) {
	if s.Locale != "" && !localeForm.MatchString(s.Locale) {
		return nil, badValue("INVOICE_LOCALE", s.Locale, "write a language, and a country if it matters, such as de-CH")
	}
	var raw [][]byte
	for path := range strings.SplitSeq(s.CJKFont, ",") {
		if path = strings.TrimSpace(path); path == "" {
			continue
		}
		font, err := os.ReadFile(path)
		if err != nil {
			return nil, badValue("PDF_CJK_FONT", path, err.Error())
		}
		raw = append(raw, font)
	}
	fonts, err := pdf.ReadFonts(raw...)
	if err != nil {
		return nil, badValue("PDF_CJK_FONT", s.CJKFont, err.Error())
	}
	room := make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))
	return func(w io.Writer, paper xyra.Paper) error {
		room <- struct{}{}
		defer func() { <-room }()
		return pdf.Invoice(w, pdf.Document{Paper: paper, Fonts: fonts})
	}, nil
}

// mailSettings say who takes the e-mail.
type mailSettings struct {
	Host     string `name:"smtp-host" env:"SMTP_HOST" placeholder:"HOST" help:"Mail server that takes invoices. Default none: no e-mail is sent."`
	Port     int    `name:"smtp-port" env:"SMTP_PORT" default:"587" help:"Its port."`
	User     string `name:"smtp-user" env:"SMTP_USER" placeholder:"TEXT" help:"User to log in as. Default none: without login."`
	Password string `name:"smtp-password" env:"SMTP_PASSWORD" placeholder:"TEXT" help:"Password. Default none."`
	Security string `name:"smtp-security" env:"SMTP_SECURITY" default:"starttls" help:"starttls, tls (usually port 465), or none."`
	From     string `name:"mail-from" env:"MAIL_FROM" placeholder:"ADDRESS" help:"Sender of e-mails. Default SELLER_EMAIL."`
	Invoices bool   `name:"mail-invoices" env:"MAIL_INVOICES" default:"false" negatable:"" help:"Send every new invoice to its customer. Default false: only those that a superuser sends."`
}

// mailTimeout bounds one attempt to send an invoice.
const mailTimeout = 2 * time.Minute

// sender is for an installation that has a mail server.
func (s mailSettings) sender(seller xyra.Party) (*mail.Sender, error) {
	from := s.From
	if from == "" {
		from = seller.Email
	}
	if from == "" {
		return nil, badValue("SMTP_HOST", s.Host, "set MAIL_FROM or SELLER_EMAIL too, the sender of the e-mail")
	}
	sender, err := mail.New(mail.Options{Host: s.Host, Port: s.Port, User: s.User, Password: s.Password, From: from, Security: mail.Security(s.Security), Now: time.Now})
	if err != nil {
		return nil, fmt.Errorf("the SMTP variables or MAIL_FROM cannot be used: %w", err)
	}
	return sender, nil
}

// addKinds adds the sending of invoices, if there is a mail server.
func (s mailSettings) addKinds(kinds map[string]jobs.Kind, db *store.DB, o api.Options) error {
	if s.Host == "" && s.Invoices {
		return badValue("MAIL_INVOICES", strconv.FormatBool(s.Invoices), "set SMTP_HOST, the server that takes the e-mail")
	}
	if s.Host == "" {
		return nil
	}
	sender, err := s.sender(o.Issuer.Seller)
	if err != nil {
		return err
	}
	post := mail.Post{DB: db, Sender: sender, Print: o.Print, Seller: o.Issuer.Seller, Locale: o.Locale}
	kinds[xyra.JobInvoiceMail] = jobs.Kind{Handle: post.SendInvoice, Timeout: mailTimeout}
	return nil
}
