package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// Each line of the input is {"base": ..., "patch": ...}; each line of the output {"merged": ...} or {"error": ...}.
func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var pair struct{ Base, Patch json.RawMessage }
		if err := json.Unmarshal(lines.Bytes(), &pair); err != nil {
			panic(err)
		}
		merged, err := strategicpatch.StrategicMergePatch(pair.Base, pair.Patch, corev1.PodSpec{})
		answer := map[string]any{}
		if err != nil {
			answer["error"] = err.Error()
		} else {
			answer["merged"] = json.RawMessage(merged)
		}
		text, err := json.Marshal(answer)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(text))
	}
}
