package watch

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPriceIsReadInWhateverHabitItIsWritten(t *testing.T) {
	for _, test := range []struct{ text, number, currency string }{
		{"24.50", "24.5", ""},
		{"EUR 24.50", "24.5", "EUR"},
		{"24,50 €", "24.5", "EUR"},
		{"24,50€", "24.5", "EUR"},
		{"€24.50", "24.5", "EUR"},
		{"1.299,00 €", "1299", "EUR"},
		{"€ 1.299", "1299", "EUR"},
		{"$1,299.00", "1299", "USD"},
		{"$1,299", "1299", "USD"},
		{"US$ 1,299.99", "1299.99", "USD"},
		{"£0.99", "0.99", "GBP"},
		{"CHF 1'299.–", "1299", "CHF"},
		{"CHF 1’299.95", "1299.95", "CHF"},
		{"1299,- kr", "1299", "SEK"},
		{"1 299,00 kr", "1299", "SEK"},
		{"1\u00a0299,00\u00a0kr", "1299", "SEK"},
		{"1\u202f299,00 €", "1299", "EUR"},
		{"12 345 678 zł", "12345678", "PLN"},
		{"Rs. 1,23,456.00", "123456", "INR"},
		{"₹1,23,456", "123456", "INR"},
		{"¥12,800", "12800", "JPY"},
		{"12.800円", "12800", "JPY"},
		{"R$ 1.234,56", "1234.56", "BRL"},
		{"from 24.50 EUR incl. 20% VAT", "24.5", "EUR"},
		{"Only 3 left", "3", ""},
		{"3 for 24.50 €", "24.5", "EUR"},
		{"24,50 €/100 g", "24.5", "EUR"},
		{"-5 €", "-5", "EUR"},
		{"-€5.00", "-5", "EUR"},
		{"−12,5", "-12.5", ""},
		{"0,299", "0.299", ""},
		{"1,5", "1.5", ""},
		{"1.2345", "1.2345", ""},
		{"12%", "12", ""},
		{"100g", "100", ""},
		{"٢٤٫٥٠", "24.5", ""},
		{"１２３", "123", ""},
		{"0", "0", ""},
		{"-0.00", "0", ""},
	} {
		t.Run(test.text, func(t *testing.T) {
			got, err := parseAmount(squeeze(test.text))
			require.NoError(t, err)
			require.Equal(t, test.number, string(got.number))
			first := ""
			if len(got.currency) > 0 {
				first = got.currency[0]
			}
			require.Equal(t, test.currency, first)
		})
	}
}

func TestATextThatIsNoNumberIsNotGuessedAt(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "has no number"},
		{"Price on request", "has no number"},
		{"12 – 15 EUR was 20 EUR", "has several numbers"},
		{"10-20", "has several numbers"},
		{"12.00 14.00", "has several numbers"},
		{"was 30 now 20", "has several numbers"},
		{"27.11.2026", "not grouped"},
		{"v1.2.3", "not grouped"},
		{"1'29", "not grouped"},
		{"1,2,3", "not grouped"},
		{"iPhone15", "is no number"},
		{"Out of stock since about 2024", "is a sentence with a number"},
		{"1234567890123456789012345678901", "more than 30 digits"},
	} {
		t.Run(test.text, func(t *testing.T) {
			_, err := parseAmount(test.text)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestAPlainNumberHasOneForm(t *testing.T) {
	for text, want := range map[string]string{"24.50": "24.5", "024": "24", "-0": "0", "1e3": "1000", "2.5E-3": "0.0025", "-1.0": "-1"} {
		got, err := parseDecimal(text)
		require.NoError(t, err, text)
		require.Equal(t, want, string(got), text)
	}
	for _, text := range []string{"", ".", "1.", "1,5", "+1", "NaN", "Inf", "1e400", "1e300", "0x10", "1 "} {
		_, err := parseDecimal(text)
		require.Error(t, err, text)
	}
	require.Negative(t, decimal("9.5").compare("10"))
	require.Positive(t, decimal("-1").compare("-1.5"))
	require.Zero(t, decimal("0.1").compare("0.1"))
}
