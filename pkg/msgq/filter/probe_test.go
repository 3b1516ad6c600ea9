package filter
import ("testing";"strings";"time")
func TestProbe(t *testing.T){
 for _,s:=range []string{
 `topic = "a"`,`data.x = 1`,`data.a == 1 and data.b == 2`,`data.a == 1 or data.b`,`not data.a`,`dta.x == 1`,`action == "opened"`,`dta.x == 1 && tpic == "x"`,
 `topic`,`seq`,`data.a + 1`,`1`,`"a"`,`[1]`,`data.items.exists(x, x.n > 1)`,`exists(data)`,`data.items.map(x,x)`,`[1].all(x, x>1)`,
 `topic == 1`,`seq == 3.0`,`seq > 3.5`,`topic && true`,`topic.foo()`,`topic.startsWith(1)`,`topic.startswith("a")`,`size(1)`,`lower(topic)`,`headers.region == "eu"`,`headers.region == 1`,
 `data.s.matches("[")`,`data.s.matches("(x{1000}){1000}")`,`data.s.matches("x{1000}x{1000}")`,`data.s.matches(data.r)`,`duration("1x") > duration("1s")`,`timestamp("x") > time`,`int("abc") == 1`,`time > "2024"`, `data.a === 1`,`data.a <> 1`,`data.a != 1 &&`,`(data.a`,`data.a)`,`data.a == 'x`,`data.`,`data..a`,`data[0`,`data.a == "x" & data.b`,`data.a == “x”`,"data.a\n == 1 &&\n  dta","true;","if data.a","data.a == 1 ? true","data.a is null","data.a == nil","data.a == None", "data.a == True","data.a like \"x\"", "data.$a", "data.a-b == 1","data.in == 1","data.`a-b` == 1","has(data)","has(data[0])","topic.x","time.getHours(\"x\")==1","{1:2}","{[1]:2} == {}","{data:1} == data","google.protobuf.Struct{} == data","google.protobuf.Value","99999999999999999999 == data.n","null","data.x ? true : 1","!seq","!topic", "data['a'", "\x00", "data.a == \"\\q\"","seq.contains(\"a\")","topic in [1,2]","seq in [1.0]","topic[0] == 'a'","1 == 1.0","this == 1","event.data == 1","data?.a","a.b.c == 1","@x","headers.x-request-id == \"a\"","headers.content-type == \"a\"","data.a == opened","data.total-used > 1","data.a.0.b == 1","data.s.matches(\"\\d+\")","data.x not in [1]","len(data.x) > 1","data.a == 1 AND data.b","data.x.if == 1","data.a >= => 1","data.a => 1","data.a == “x","\"é\" == dta","data.a ==\n\"é\" + dta","data.a b","data.a, data.b","data[a]","has(x.y)","data.a == 1 || ","1 +","[1,2","{\"a\":1","f(","x ? y","topic - 1 == 1","-topic","topic + 1 == \"a\"","size(data) == \"a\"","type(topic) == string","a", "matches(topic, \"a\")","topic.matches()","topic.matches(\"a\",\"b\")","matches(\"a\")",`data.a == 1 // x`,`// x`,`data.a == "a
b"`,`b"a" == data`,`r"\d" == data`,`"""x""" == data.a`, "data.a == 1 \u200b", "\ufeffdata.a == 1"} {
  f,err:=Compile(s)
  t.Logf("%-36q %v %v",s,f!=nil,err)
 }
 for _,s:=range []string{strings.Repeat("(",1000)+"1"+strings.Repeat(")",1000),strings.Repeat("(",2048),strings.Repeat("!",2000)+"true",strings.Repeat("[",2048),strings.Repeat("a+",1023)+"a",strings.Repeat("true&&",300)+"true",strings.Repeat("true||true&&",150)+"true",strings.Repeat("-",2047)+"1",strings.Repeat("a.",1000)+"a",strings.Repeat("a?b:",500)+"a",strings.Repeat("{1:",500),strings.Repeat("\"",2047),strings.Repeat("a(",1000),strings.Repeat("= ",1000),strings.Repeat("true==",300)+"true", strings.Repeat("seq+",300)+"1>0",strings.Repeat("data[",300)+"0"+strings.Repeat("]",300),`topic.matches("`+strings.Repeat(`\\pL`,480)+`")`,`topic.matches("(?i)`+strings.Repeat(`\\pL`,480)+`")`,`topic.matches("`+strings.Repeat(`a{1000}`,280)+`")`,`topic.matches("`+strings.Repeat(`(`,900)+strings.Repeat(`)`,900)+`")`} {
  t0:=time.Now(); _,err:=Compile(s)
  t.Logf("%.20q %v %v",s,time.Since(t0),err)
 }
}
