#!/bin/sh
echo "guest: nginx.service failed to start"
