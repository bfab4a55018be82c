package strictjson

import (
	"bytes"
	"hash/maphash"
)

// Up to this many keys an object compares each new key with all earlier ones.
const keysCompared = 8

// The seed is random per process, so that no sender can build keys that collide.
var keySeed = maphash.MakeSeed()

// A keySet finds the second occurrence of a key in the object being read. Past
// keysCompared keys it is an open hash table of key nodes, half full at most.
type keySet struct {
	doc    *document
	object int
	count  int
	table  []uint32 // node indexes; 0, never a key, means free
}

// add returns false when an equal key was added before.
func (s *keySet) add(key int) bool {
	s.count++
	if s.count <= keysCompared {
		return !s.among(key)
	}
	if s.count*2 > len(s.table) {
		s.grow(key)
	}
	return s.insert(key)
}

func (s *keySet) among(key int) bool {
	name := s.doc.name(key)
	added := &s.doc.nodes[key]
	for at := s.object + 1; at < key; at = int(s.doc.nodes[at+1].next) {
		if n := &s.doc.nodes[at]; n.end-n.start != added.end-added.start && !n.escaped && !added.escaped {
			continue // the quickest difference there is
		}
		if bytes.Equal(s.doc.name(at), name) {
			return true
		}
	}
	return false
}

// grow makes room for twice as many keys and fills in those before key.
func (s *keySet) grow(key int) {
	s.table = make([]uint32, max(32, 2*len(s.table)))
	for at := s.object + 1; at < key; at = int(s.doc.nodes[at+1].next) {
		s.insert(at)
	}
}

func (s *keySet) insert(key int) bool {
	name := s.doc.name(key)
	mask := uint64(len(s.table) - 1)
	slot := maphash.Bytes(keySeed, name) & mask
	for s.table[slot] != 0 {
		if bytes.Equal(s.doc.name(int(s.table[slot])), name) {
			return false
		}
		slot = (slot + 1) & mask
	}
	s.table[slot] = uint32(key)
	return true
}
