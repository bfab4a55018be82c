module xyra

go 1.26
