// ask sends one request through an endpoint picker as Envoy does, by its external processing protocol, and prints what
// the picker adds to the request: its headers as a JSON object, x-gateway-destination-endpoint among them.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"log"
	"os"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extproc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	address := flag.String("address", "", "host and port of the endpoint picker")
	path := flag.String("path", "/v1/completions", "path of the request")
	timeout := flag.Duration("timeout", 20*time.Second, "how long the answer may take")
	hold := flag.Duration("hold", 0, "how long the request stays open after that, as one that is being answered")
	flag.Parse()
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout+*hold)
	defer cancel()
	headers, err := ask(ctx, *address, *path, body)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(headers); err != nil {
		log.Fatal(err)
	}
	time.Sleep(*hold)
}

func ask(ctx context.Context, address, path string, body []byte) (map[string]string, error) {
	// Connection and stream stay open until the program ends: the picker counts the request until then.
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	stream, err := extproc.NewExternalProcessorClient(connection).Process(ctx, grpc.WaitForReady(true))
	if err != nil {
		return nil, err
	}
	given := map[string]string{":method": "POST", ":path": path, "content-type": "application/json"}
	requests := []*extproc.ProcessingRequest{
		{Request: &extproc.ProcessingRequest_RequestHeaders{RequestHeaders: &extproc.HttpHeaders{Headers: headerMap(given)}}},
		{Request: &extproc.ProcessingRequest_RequestBody{RequestBody: &extproc.HttpBody{Body: body, EndOfStream: true}}},
	}
	for _, request := range requests {
		if err := stream.Send(request); err != nil {
			return nil, err
		}
	}
	found := map[string]string{}
	for found["x-gateway-destination-endpoint"] == "" {
		answer, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		if refused := answer.GetImmediateResponse(); refused != nil {
			return map[string]string{"status": refused.GetStatus().GetCode().String(), "body": string(refused.GetBody())}, nil
		}
		for _, each := range answer.GetRequestHeaders().GetResponse().GetHeaderMutation().GetSetHeaders() {
			value := each.GetHeader().GetValue()
			if raw := each.GetHeader().GetRawValue(); len(raw) > 0 {
				value = string(raw)
			}
			found[each.GetHeader().GetKey()] = value
		}
	}
	return found, nil
}

func headerMap(given map[string]string) *core.HeaderMap {
	found := &core.HeaderMap{}
	for key, value := range given {
		found.Headers = append(found.Headers, &core.HeaderValue{Key: key, RawValue: []byte(value)})
	}
	return found
}
