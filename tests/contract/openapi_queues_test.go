package contract_test

// queueExchanges are those of the queue API, for TestSubscribeAnswersAreAsTheOpenAPIDocumentSays.
var queueExchanges = []exchange{
	{201, "PUT", "/v1/queues/q", `{"topics":["a.>"],"backoff":["1s","5s"],"ack_wait":"10s","max_attempts":3}`, jsonArray},
	{200, "PUT", "/v1/queues/q", `{"push":{"url":"http://127.0.0.1:9/","timeout":"2s"}}`, jsonArray},
	{409, "PUT", "/v1/queues/q", `{"topics":["b"]}`, jsonArray},
	{400, "PUT", "/v1/queues/q", `{"topics":"b"}`, jsonArray},
	{200, "GET", "/v1/queues", "", ""},
	{200, "GET", "/v1/queues/q", "", ""},
	{200, "GET", "/v1/queues?limit=1&next=a", "", ""},
	{400, "GET", "/v1/queues?limit=0", "", ""},
	{201, "PUT", "/v1/queues/pulled", `{"topics":["a"],"from":"all"}`, jsonArray},
	{200, "POST", "/v1/queues/pulled/pull", `{"max":1,"wait":"10s"}`, jsonArray}, // the one published before
	{200, "POST", "/v1/queues/pulled/pull", "", ""},
	{400, "POST", "/v1/queues/pulled/pull", `{"max":0}`, jsonArray},
	{200, "POST", "/v1/queues/pulled/ack", `{"tags":["none"]}`, jsonArray},
	{200, "POST", "/v1/queues/pulled/nack", `{"tags":["none"],"delay":"1s","reason":"busy"}`, jsonArray},
	{200, "POST", "/v1/queues/pulled/reject", `{"tags":["none"],"reason":"no"}`, jsonArray},
	{200, "POST", "/v1/queues/pulled/seek", `{"from":"new"}`, jsonArray},
	{400, "POST", "/v1/queues/pulled/seek", `{"from":"x"}`, jsonArray},
	{200, "GET", "/v1/queues/q/dead?limit=10&filter=true", "", ""},
	{400, "GET", "/v1/queues/q/dead?filter=1", "", ""},
	{200, "POST", "/v1/queues/q/dead/redrive", `{"seqs":[1,2]}`, jsonArray},
	{200, "POST", "/v1/queues/q/dead/discard", `{"filter":"seq > 1"}`, jsonArray},
	{200, "POST", "/v1/queues/q/dead/discard", `{"all":true}`, jsonArray},
	{400, "POST", "/v1/queues/q/dead/discard", `{}`, jsonArray},
	{404, "POST", "/v1/queues/none/dead/discard", `{"all":true}`, jsonArray},
	{204, "DELETE", "/v1/queues/q", "", ""},
	{404, "DELETE", "/v1/queues/q", "", ""},
	{404, "GET", "/v1/queues/q", "", ""},
}
