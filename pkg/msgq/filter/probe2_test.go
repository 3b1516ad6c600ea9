package filter
import ("testing";"strings";"time";"fmt")
func js(s string) *Event { return &Event{Topic:"github.issues.opened",ID:"x",Seq:7,Time:time.Now(),Headers:map[string]string{"region":"eu"},DataContentType:"application/json",Data:[]byte(s)} }
func TestProbe2(t *testing.T){
 e:=js(`{"n":3,"d":3.5,"t":3.0,"s":"abc","big":9007199254740993,"u":18446744073709551615,"huge":1e400,"l":[1,2.0,"a"],"o":{"a":1},"b":true,"z":null,"e":{},"neg":-1}`)
 for _,s:=range []string{`data.n > 3`,`data.d > 3`,`data.t == 3`,`data.n == 3.0`,`data.big == 9007199254740993`,`data.big == 9007199254740992`,`data.u == 18446744073709551615u`,`data.u > 1`,`data.huge > 1`,`2 in data.l`,`"a" in data.l`,`data.n in [1,2,3]`,`data.t in [1,2,3]`,`data.x`,`has(data.x)`,`has(data.x.y)`,`data.b`,`data.n`,`data.z == null`,`data.s.matches("^a.c$")`,`data.n.matches("a")`,`data.s.contains("b")`,`{[1]:2} == {}`,`{data:1} == data`,`{data.l:1}.size() == 1`,`data.o == {"a":1}`,`data.o == {"a":1.0}`,`data.l == [1,2,"a"]`,`data.e == {}`,`headers.region in ["eu"]`,`headers["x"] == "a"`,`data.n / 0 == 1`,`topic.startsWith("github.")`,`time > timestamp("2020-01-01T00:00:00Z")`,`seq == 7`,`data.l[0] == 1`,`data.l[data.n] == 1`,`data["s"] == "abc"`,`"s" in data`,`data.n + 1 == 4`,`data.d + 1 == 4.5`,`data.s + 1 == ""`,`data.neg < 0`,`-data.n == -3`,`!data.b`,`!data.n`,`data.b ? true : false`,`data.n ? true : false`,`data.n.foo == 1`, `data.l.foo == 1`, `data.s.size() == 3`,`size(data.l) == 3`,`time.getHours("Europe/Berlin") >= 0`,`time.getHours("nope") >= 0`,`type(data.n) == int`,`int(data.s) == 1`,`b"abc" in [data]`,`bytes(data.s) == b"abc"`,`bytes(data.s) in [b"abc"]`,`data.n == "3"`,`data.s < "b"`,`data.n < "b"`,`[data.n] + data.l == [3,1,2,"a"]`,`data.l != data.l`,`data.s.startsWith(data.n)`,`data.n.contains("a")`,`timestamp(data.s) > time`,`timestamp(99999999999999) > time`,`data in [data]`,`data.n in data.n`,`data in {}`, `[1] in {"a":1}`} {
  f,err:=Compile(s); if err!=nil {t.Logf("%-40s COMPILE %v",s,err);continue}
  ok,err:=f.Check(e); t.Logf("%-40s %v %v",s,ok,err) }
}
func TestProbe3(t *testing.T){
 big:=strings.Repeat("a",1<<20-100)
 nums:="["+strings.Repeat("1,",500000)+"1]"
 nest:=strings.Repeat("[",9000)+strings.Repeat("]",9000)
 many:="["+strings.Repeat(`{"a":[1]},`,100000)+"1]"
 evs:=map[string]*Event{"str":js(`{"s":"`+big+`","o":{"x":1}}`),"nums":js(`{"l":`+nums+`,"o":{"l":`+nums[:len(nums)/2]+`1]}}`),"nest":js(`{"l":`+nest+`}`),"many":js(`{"l":`+many+`}`)}
 for n,e:=range evs { t0:=time.Now(); v:=e.payload(); t.Log(n,len(e.Data),time.Since(t0),v!=nil)}
 rep:=func(s string) string { n:=2000/len(s); return strings.TrimSuffix(strings.Repeat(s,n),"||")}
 for _,c:=range []struct{ev,f string}{
  {"str",rep(`size(data.s)<0||`)},{"str",rep(`int(data.s)<0||`)},{"str",rep(`double(data.s)<0.0||`)},{"str",rep(`timestamp(data.s)<time||`)},{"str",rep(`duration(data.s)<duration("1s")||`)},{"str",rep(`bool(data.s)||`)},
  {"str",rep(`data[data.s]||`)},{"str",rep(`data.o[data.s]||`)},{"str",rep(`headers[data.s]=="a"||`)},{"str",rep(`data.s.contains("aaaaab")||`)},{"str",rep(`data.s.contains("`+strings.Repeat("a",900)+`b")||`)},{"str",rep(`data.s.endsWith("b")||`)},{"str",rep(`data.s.matches("(a?){50}b")||`)},{"str",rep(`data.s.matches("a.b")||`)},
  {"str",rep(`data.s==data.s+"b"||`)},{"str",rep(`data.s<data.s||`)},{"str",rep(`data.s in ["b"]||`)},{"str",rep(`data.s in data||`)},{"str",rep(`bytes(data.s)==b""||`)},{"str",rep(`time.getHours(data.s)<0||`)},{"str",rep(`time.getHours("Europe/Berlin")<0||`)},{"str",rep(`data.s!=data.s||`)},{"str",rep(`-data.s==1||`)},{"str",rep(`data.s-1==1||`)},{"str",rep(`string(data.s)=="a"||`)},{"str",rep(`{data.s:1}=={}||`)},{"str",rep(`data.s in {data.s+"a":1}||`)},
  {"nums",rep(`data!=data||`)},{"nums",rep(`data.l!=data.l||`)},{"nums",rep(`2 in data.l||`)},{"nums",rep(`data.l in [data.o.l]||`)},{"nums",rep(`(data.l+data.l)[900000]==2||`)},{"nums",rep(`2 in (data.l+data.l)||`)},{"nums",rep(`[data.l]!=[data.l]||`)},{"nums",rep(`[[data.l]]!=[[data.l]]||`)},{"nums",rep(`{"a":data.l}!={"a":data.l}||`)},{"nums",rep(`data.l==[1]||`)},
  {"nest",rep(`data!=data||`)},{"many",rep(`data!=data||`)},{"many",rep(`{"a":[2]} in data.l||`)},{"many",rep(`data.l[0] in data.l&&`)+"false"},{"many",rep(`string(data.l)=="a"||`)},{"many",rep(`size(data.l)==1||`)},{"many",rep(`data.l[99999]==1&&`)+"false"},{"many",rep(`has(data.x)||`)},{"many",rep(`[data.x,data.x,data.x]==[]||`)},{"many",rep(`{}=={"a":1}||`)},{"many", strings.Repeat("-",0)+rep(`data.l.matches("a")||`)},
 } {
  f,err:=Compile(c.f); if err!=nil { t.Log(c.f[:40],err); continue}
  e:=evs[c.ev]; t0:=time.Now(); ok,err:=f.Check(e); d:=time.Since(t0); m:=fmt.Sprint(err); if len(m)>80 {m=m[:80]}
  t.Logf("%-10v %-5s %-50.50s %v %s",d,c.ev,c.f,ok,m)
 }
}
