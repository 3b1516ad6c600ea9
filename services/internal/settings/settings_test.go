package settings_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asyncmsglib/msgq/services/internal/settings"
)

// config is a service's.
type config struct {
	Addr    string         `env:"MSGQ_TEST_ADDR" default:"127.0.0.1:0"`
	Size    settings.Bytes `env:"MSGQ_TEST_SIZE" default:"1MiB"`
	Workers int            `env:"MSGQ_TEST_WORKERS" default:"4"`
	Wait    time.Duration  `env:"MSGQ_TEST_WAIT" default:"3s"`
	Deep    bool           `env:"MSGQ_TEST_DEEP"`

	settings.HTTP   `embed:""`
	settings.Broker `embed:""`
	settings.Log    `embed:""`
}

func (c *config) check() []error {
	return slices.Concat(c.Broker.Check(), c.Log.Check(), c.HTTP.Check("MSGQ_TEST_ADDR", c.Addr))
}

func parse(t *testing.T, args ...string) (config, error) {
	t.Helper()
	var c config
	_, err := settings.Parse(&c, args, c.check)
	return c, err
}

func TestSettingsComeFromDefaultsEnvironmentAndFlags(t *testing.T) {
	t.Setenv("MSGQ_TEST_SIZE", "64KiB")
	t.Setenv("MSGQ_TEST_WORKERS", "7")
	t.Setenv("MSGQ_TEST_DEEP", "true")
	t.Setenv("MSGQ_ALLOWED_ORIGINS", "https://a.example,https://b.example:8443")
	c, err := parse(t, "--workers=9", "--nats-url=nats://broker:4222", "--no-provision")
	if err != nil {
		t.Fatal(err)
	}
	if c.Size != 64<<10 || c.Workers != 9 || c.Wait != 3*time.Second || !c.Deep || c.NATSURL != "nats://broker:4222" ||
		c.Provision || c.Stream != "EVENTS" || c.MaxBytes != 8<<30 || len(c.AllowedOrigins) != 2 {
		t.Errorf("got %+v", c)
	}
}

func TestOneErrorNamesEverySettingThatCannotBeRead(t *testing.T) {
	t.Setenv("MSGQ_TEST_SIZE", "big")
	t.Setenv("MSGQ_TEST_WAIT", "soon")
	t.Setenv("MSGQ_REPLICAS", "many")
	t.Setenv("MSGQ_PROVISION", "perhaps")
	_, err := parse(t, "--workers=few")
	checkNames(t, err, "MSGQ_TEST_SIZE", "MSGQ_TEST_WAIT", "MSGQ_REPLICAS", "MSGQ_PROVISION", "--workers")
}

func TestOneErrorNamesEverySettingOutsideItsLimits(t *testing.T) {
	t.Setenv("MSGQ_STREAM", "a b")
	t.Setenv("MSGQ_REPLICAS", "9")
	t.Setenv("MSGQ_MAX_AGE", "1s")
	t.Setenv("MSGQ_MAX_BYTES", "1KiB")
	t.Setenv("MSGQ_WHEN_FULL", "explode")
	t.Setenv("MSGQ_NATS_CREDS", "/nowhere/creds")
	t.Setenv("MSGQ_LOG_LEVEL", "loud")
	t.Setenv("MSGQ_LOG_FORMAT", "xml")
	t.Setenv("MSGQ_AUTH", "magic")
	t.Setenv("MSGQ_ALLOWED_ORIGINS", "example.com")
	_, err := parse(t, "--addr=nonsense")
	checkNames(t, err, "MSGQ_STREAM", "MSGQ_REPLICAS", "MSGQ_MAX_AGE", "MSGQ_MAX_BYTES", "MSGQ_WHEN_FULL", "MSGQ_NATS_CREDS",
		"MSGQ_LOG_LEVEL", "MSGQ_LOG_FORMAT", "MSGQ_AUTH", "MSGQ_ALLOWED_ORIGINS", "MSGQ_TEST_ADDR")
}

func TestOneErrorNamesBothKinds(t *testing.T) {
	t.Setenv("MSGQ_TEST_SIZE", "big")
	t.Setenv("MSGQ_LOG_LEVEL", "loud")
	_, err := parse(t, "--workers=few", "--addr=nonsense")
	checkNames(t, err, "MSGQ_TEST_SIZE", "--workers", "MSGQ_LOG_LEVEL", "MSGQ_TEST_ADDR")
}

// checkNames takes "max age" for a name of MSGQ_MAX_AGE.
func checkNames(t *testing.T, err error, names ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range names {
		if n := strings.Count(err.Error(), "\n  "+name); n != 1 {
			t.Errorf("%s is named %d times in:\n%v", name, n, err)
		}
	}
}

// As ${X:-} in a Compose file gives it.
func TestEmptyVariableOfAFileIsNoFile(t *testing.T) {
	for _, name := range []string{"MSGQ_NATS_CREDS", "MSGQ_NATS_CA_FILE", "MSGQ_NATS_PASSWORD_FILE", "MSGQ_JWT_SECRET_FILE", "MSGQ_JWT_PUBLIC_KEY_FILE"} {
		t.Setenv(name, "")
	}
	if _, err := parse(t); err != nil {
		t.Error(err)
	}
}

func TestZeroIsNotQuietlyTheDefault(t *testing.T) {
	names := []string{"MSGQ_REPLICAS", "MSGQ_MAX_AGE", "MSGQ_MAX_BYTES", "MSGQ_DUPLICATE_WINDOW"}
	for _, name := range names {
		t.Setenv(name, "0")
	}
	_, err := parse(t)
	checkNames(t, err, names...)
}

func TestUnknownFlagHidesNoWrongSetting(t *testing.T) {
	t.Setenv("MSGQ_REPLICAS", "many")
	t.Setenv("MSGQ_LOG_LEVEL", "loud")
	_, err := parse(t, "--no-such-flag=1", "--workers=few", "--nor-this")
	checkNames(t, err, "unknown flag --no-such-flag", "unknown flag --nor-this", "MSGQ_REPLICAS", "MSGQ_LOG_LEVEL", "--workers")
}

func TestFilesAndAddressesAreLookedInto(t *testing.T) {
	t.Setenv("MSGQ_NATS_URL", "nats://one:4222,http://two")
	t.Setenv("MSGQ_NATS_CREDS", "settings_test.go")
	t.Setenv("MSGQ_NATS_CA_FILE", "settings_test.go")
	t.Setenv("MSGQ_NATS_PASSWORD_FILE", "settings_test.go")
	_, err := parse(t, "--addr=127.0.0.1:99999")
	checkNames(t, err, "MSGQ_NATS_URL", "MSGQ_NATS_CREDS", "MSGQ_NATS_CA_FILE", "MSGQ_NATS_USER", "MSGQ_TEST_ADDR")
}

func TestUserNeedsAPasswordFile(t *testing.T) {
	if _, err := parse(t, "--nats-user=me"); err == nil {
		t.Error("a user without a password file must be refused with the other wrong settings")
	}
}

func TestOriginsAreExact(t *testing.T) {
	for _, origin := range []string{"https://*.example.com", "*", "https://*", "example.com", "https://example.com/", "null",
		"https://App.example.com", "https://example.com:443", "http://example.com:80", "https://example.com:"} {
		t.Run(origin, func(t *testing.T) {
			_, err := parse(t, "--allowed-origins=https://app.example.com,http://localhost:443,"+origin)
			checkNames(t, err, "MSGQ_ALLOWED_ORIGINS")
		})
	}
}

func TestAddressThatOthersReachNeedsConsent(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		ok   bool
	}{
		"loopback of IPv4":         {[]string{"--addr=127.0.0.1:8080"}, true},
		"another loopback of IPv4": {[]string{"--addr=127.8.8.8:8080"}, true},
		"loopback of IPv6":         {[]string{"--addr=[::1]:8080"}, true},
		"localhost":                {[]string{"--addr=localhost:8080"}, true},
		"all":                      {[]string{"--addr=:8080"}, false},
		"all of IPv4":              {[]string{"--addr=0.0.0.0:8080"}, false},
		"all of IPv6":              {[]string{"--addr=[::]:8080"}, false},
		"an address":               {[]string{"--addr=192.168.1.2:8080"}, false},
		"a name":                   {[]string{"--addr=localhost.evil.com:8080"}, false},
		"all, and consent":         {[]string{"--addr=:8080", "--insecure"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, test.args...)
			if (err == nil) != test.ok {
				t.Errorf("error %v, want ok %v", err, test.ok)
			}
			if err != nil && !strings.Contains(err.Error(), "MSGQ_INSECURE=1") {
				t.Errorf("error %v does not say how to allow it", err)
			}
		})
	}
}

func TestAuthenticationNeedsExactlyOneSourceOfKeys(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		ok   bool
	}{
		"jwt alone":                  {[]string{"--auth=jwt"}, false},
		"a secret":                   {[]string{"--auth=jwt", "--jwt-secret-file=settings_test.go"}, true},
		"a secret, any address":      {[]string{"--auth=jwt", "--jwt-secret-file=settings_test.go", "--addr=:8080"}, true},
		"a public key":               {[]string{"--auth=jwt", "--jwt-public-key-file=settings_test.go"}, true},
		"a key set":                  {[]string{"--auth=jwt", "--jwks-url=https://id.example.com/keys"}, true},
		"a key set that is no URL":   {[]string{"--auth=jwt", "--jwks-url=id.example.com"}, false},
		"two sources":                {[]string{"--auth=jwt", "--jwt-secret-file=settings_test.go", "--jwks-url=https://id.example.com/keys"}, false},
		"a secret that nobody needs": {[]string{"--jwt-secret-file=settings_test.go"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parse(t, test.args...); (err == nil) != test.ok {
				t.Errorf("error %v, want ok %v", err, test.ok)
			}
		})
	}
}

func TestBytesAreRead(t *testing.T) {
	for text, want := range map[string]settings.Bytes{"0": 0, "1048576": 1 << 20, "64KiB": 64 << 10, "8GiB": 8 << 30, "1.5MiB": 3 << 19, "2k": 2048} {
		var b settings.Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil || b != want {
			t.Errorf("%q: %d, %v, want %d", text, b, err, want)
		}
	}
	for _, text := range []string{"", "big", "-1", "-1MiB", "1 2", "NaN", "Inf", "99999999999999TiB"} {
		var b settings.Bytes
		if err := b.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %d", text, b)
		}
	}
}

func TestUnknownFlagIsTheOnlyErrorNamed(t *testing.T) {
	_, err := parse(t, "--unknown")
	if err == nil || strings.Contains(err.Error(), "MSGQ_") {
		t.Errorf("%v: nothing else is wrong", err)
	}
}
