package main

import (
	"math/bits"
	"time"
)

// histogram counts latencies in buckets that are at most 1/32 wide of what they hold, so its size does not depend on how
// many there are.
type histogram struct {
	counts [64 * bucketSteps]int64
	total  int64
}

const bucketSteps = 32

func bucketOf(micros uint64) int {
	if micros < bucketSteps {
		return int(micros)
	}
	shift := bits.Len64(micros) - 6
	return (shift+1)*bucketSteps + int(micros>>shift) - bucketSteps
}

// bucketFloor is the smallest latency of a bucket.
func bucketFloor(bucket int) uint64 {
	if bucket < bucketSteps {
		return uint64(bucket)
	}
	shift := bucket/bucketSteps - 1
	return uint64(bucket%bucketSteps+bucketSteps) << shift
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(uint64(max(d.Microseconds(), 0)))]++
	h.total++
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// quantile is the latency that percent of a hundred do not exceed.
func (h *histogram) quantile(percent int64) time.Duration {
	rank := (h.total*percent + 99) / 100
	for i, n := range h.counts {
		if rank -= n; rank <= 0 {
			return time.Duration(bucketFloor(i)) * time.Microsecond
		}
	}
	return 0
}
