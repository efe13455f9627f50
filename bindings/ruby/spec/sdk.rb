# frozen_string_literal: true

# Makes the LaunchDarkly SDK loadable: the checkouts that FLAGSTORE_SDK names, with colons between them, else the stand-in.
# The SDK comes first, then those of its dependencies that are not installed.
checkouts = ENV['FLAGSTORE_SDK'].to_s.split(':')
SDK_IS_REAL = !checkouts.empty?
if SDK_IS_REAL
  $LOAD_PATH.unshift(*checkouts.map { |folder| File.expand_path('lib', folder) })
else
  $LOAD_PATH.unshift(File.expand_path('stand_in', __dir__))
end

require 'flagstore/launchdarkly'
