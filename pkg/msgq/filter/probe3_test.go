package filter
import ("testing";"strings";"time")
func TestProbe4(t *testing.T){
 for _,p:=range []string{`(a?){300}b`,`(a?){30}b`,`(a|b|aa){80}c`,`(?:(?:a|aa)+)+$`,`(a*)*b`,`.*.*.*.*.*x`,`a.*b.*c.*d`,`[ab]{400}c`,`(.*){50}x`,`(?i)error|fatal|panic`,`^(a+)+$`,`(?:a?){400}a{400}`,`\pL{400}x`,`(x|\pL){200}9`, `([a-c]+[a-d]+){30}z`,`^feat(\(.*\))?: `} {
  re,n,err:=compileRegex(p); if err!=nil {t.Log(p,err);continue}
  l:=1000000/n
  for _,c:=range []string{"a","é"} { s:=strings.Repeat(c,l/len(c)); t0:=time.Now(); re.MatchString(s); t.Logf("%-26s n=%d len=%d %v",p,n,len(s),time.Since(t0)) }
 }
}
