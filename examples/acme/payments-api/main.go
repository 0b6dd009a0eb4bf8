// Command api takes payments for the Acme web shop. It is an example: it listens and
// answers, and moves no money.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

func main() {
	http.HandleFunc("/price", func(w http.ResponseWriter, r *http.Request) {
		p := message.NewPrinter(language.Make(r.URL.Query().Get("lang")))
		fmt.Fprintln(w, p.Sprintf("%.2f EUR", 1234.5))
	})
	log.Fatal(http.ListenAndServe(os.Getenv("LISTEN"), nil))
}
