# frozen_string_literal: true

module Flagstore
  VERSION = '0.1.0'
end
