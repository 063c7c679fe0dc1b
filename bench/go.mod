module github.com/anser-im/anser/bench

go 1.26.0
