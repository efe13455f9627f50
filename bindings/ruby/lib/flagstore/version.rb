# frozen_string_literal: true

module Flagstore
  # Of this gem, and of the library in it.
  VERSION = '0.1.0'
end
