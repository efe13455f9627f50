# frozen_string_literal: true

require 'uri'

require_relative '../error'

module Flagstore
  module LaunchDarkly
    # Options of +Aws::DynamoDB::Client+, as the LaunchDarkly SDK passes them, turned into the store's own.
    #
    # What cannot be turned is refused by name: an option that was silently left out would only be missed in production.
    #
    # @api private
    module AwsOptions
      # Defaults of the store's +timeout_ms+, which would cut short a connection or request that was given longer, and of
      # its +attempt_timeout_ms+.
      DEFAULT_TIMEOUT_MS = 5_000
      DEFAULT_ATTEMPT_TIMEOUT_MS = 2_000

      SAME_MEANING = {
        region: :region,
        endpoint: :endpoint,
        profile: :profile,
        access_key_id: :access_key_id,
        secret_access_key: :secret_access_key,
        session_token: :session_token,
        ssl_ca_bundle: :ca_bundle,
        use_fips_endpoint: :use_fips,
        use_dualstack_endpoint: :use_dual_stack
      }.freeze

      TIMES = { http_open_timeout: :connect_timeout_ms, http_read_timeout: :attempt_timeout_ms }.freeze

      # How many attempts each makes of its number.
      ATTEMPTS = { retry_limit: 1, max_attempts: 0 }.freeze

      # What is so here anyway, or says nothing about DynamoDB.
      WITHOUT_EFFECT = %i[retry_mode user_agent_suffix validate_params convert_params].freeze

      PACED = 'is not used, since pauses between retries are the library\'s: leave it out'
      ROOTS = 'is not used: name a PEM file in ssl_ca_bundle'
      INSTEAD = {
        retry_backoff: PACED, retry_base_delay: PACED, retry_max_delay: PACED, retry_jitter: PACED,
        adaptive_retry_wait_to_fill: PACED,
        ssl_ca_directory: ROOTS, ssl_ca_store: ROOTS,
        http_proxy: 'is not used, since proxies are not supported: leave it out',
        logger: 'is not used: pass :logger beside :dynamodb_opts',
        log_level: 'is not used: pass options: { log_level: ... }',
        stub_responses: 'is not used: test against a local endpoint, such as flagstore-local'
      }.freeze
      NO_COUNTERPART = 'has no counterpart in flagstore: leave it out, or pass a store option in :options'

      class << self
        # The store's options that mean what +dynamodb_opts+ means to +Aws::DynamoDB::Client.new+.
        #
        # @param dynamodb_opts [Hash{Symbol => Object}]
        # @return [Hash{Symbol => Object}]
        # @raise [OptionError] one of them has no counterpart; the message names it and says what to do
        def translated(dynamodb_opts)
          options = dynamodb_opts.compact.map { |name, value| option(name, value) }.reduce({}, :merge)
          { **deadline(options, attempts(dynamodb_opts)), **options }
        end

        private

        def option(name, value)
          return { SAME_MEANING[name] => value.is_a?(URI) ? value.to_s : value } if SAME_MEANING.key?(name)
          return { TIMES[name] => milliseconds(name, value) } if TIMES.key?(name)
          return {} if ATTEMPTS.key?(name) || WITHOUT_EFFECT.include?(name)
          return send(name, value) if CHECKED.include?(name)

          refuse(name, 'STORE_ERROR_UNKNOWN_OPTION', INSTEAD.fetch(name, NO_COUNTERPART))
        end

        # How often a request is tried at most, or nil if that is not said.
        def attempts(dynamodb_opts)
          name, more = ATTEMPTS.find { |one, _more| dynamodb_opts[one] }
          return unless name

          number = dynamodb_opts[name]
          return number + more if number.is_a?(Integer) && (number + more).positive?

          refuse(name, 'STORE_ERROR_OPTION_VALUE', "is not a whole number of #{1 - more} or more")
        end

        # Retries are bounded by time here: by the time that so many attempts take which time out. And nothing is cut short
        # that was given longer than a call lasts by itself.
        def deadline(options, attempts)
          attempt = options.fetch(:attempt_timeout_ms, DEFAULT_ATTEMPT_TIMEOUT_MS)
          longest = [attempt, options[:connect_timeout_ms]].compact.max
          return { timeout_ms: [longest, attempts * attempt].max } if attempts

          longest > DEFAULT_TIMEOUT_MS ? { timeout_ms: longest } : {}
        end

        CHECKED = %i[credentials ssl_verify_peer api_version].freeze
        private_constant :CHECKED

        # Credentials that the AWS SDK renews would be taken once and expire.
        def credentials(provider)
          if provider.respond_to?(:refresh!)
            refuse(:credentials, 'STORE_ERROR_OPTION_VALUE',
                   "is a #{provider.class}, whose keys expire: leave it out, and have the library find and renew them " \
                   'itself, by environment, profile, container or instance role')
          end
          found = provider.respond_to?(:credentials) ? provider.credentials : provider
          names = %i[access_key_id secret_access_key session_token]
          unless names.all? { |name| found.respond_to?(name) }
            refuse(:credentials, 'STORE_ERROR_OPTION_TYPE', "takes Aws::Credentials, not #{provider.class}")
          end
          names.to_h { |name| [name, found.public_send(name)] }.compact
        end

        def ssl_verify_peer(verified)
          return {} if verified

          refuse(:ssl_verify_peer, 'STORE_ERROR_OPTION_VALUE',
                 'is false, and certificates are always checked: name a PEM file in ssl_ca_bundle instead')
        end

        def api_version(version)
          return {} if %w[2012-08-10 latest].include?(version)

          refuse(:api_version, 'STORE_ERROR_OPTION_VALUE',
                 'is not 2012-08-10, the only version that DynamoDB has: leave it out')
        end

        def milliseconds(name, seconds)
          return [1, (seconds * 1000).round].max if seconds.is_a?(Numeric) && seconds.to_f.finite? && seconds.positive?

          refuse(name, 'STORE_ERROR_OPTION_VALUE', 'is not a number of seconds above 0')
        end

        # Never with the value: it may be a credential.
        def refuse(name, code_name, why)
          raise Error.own(code_name, "the dynamodb_opts option #{name.inspect} #{why}")
        end
      end
    end
  end
end
