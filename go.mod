module github.com/cashew-proxy/cashew

go 1.26
